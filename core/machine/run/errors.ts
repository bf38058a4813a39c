/**
 * What can be wrong with a stored run.
 */

/** A run's facts or its stored state do not make sense. Thrown, because nothing can be decided on such a state. */
export class RunUnreadable extends Error {
  /** Stable code of this error. */
  readonly code = "RUN_UNREADABLE"
  constructor(reason: string) {
    super(`the run cannot be read: ${reason}; its log is kept, start the flow again as a new run`)
    this.name = "RunUnreadable"
  }
}
