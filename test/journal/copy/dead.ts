/** Names of files and folders that processes left which are dead. */

/** The name that a process of before would have made, which had our number. */
export const ofDeadProcess = (name: string): string => name.replace(/-(\d+)-\d+-([0-9a-f]{8}-[0-9a-f]{8})$/, "-$1-1-$2")
