/**
 * The journal: where mobs' facts live. It implements the store contract of the SDK on LevelDB and in memory; both share
 * everything above a small key-value seam.
 */
export { DataFolderUnusable } from "./errors.ts"
export { lives, type Owner, readOwner } from "./folder.ts"
export { inspect, type InspectedMob, type Inspection } from "./inspect.ts"
export { JournalLevel, type JournalLevelOptions } from "./journal-level.ts"
export { JournalMemory } from "./journal-memory.ts"
export { type Commit, CommitSeam, JournalTasks, type Operation, type TaskPort } from "./seams.ts"
