/**
 * The world of the block-log model: processes that hold a database, what waits in them, what truly happened.
 */
import {
  type Batch,
  type Database,
  type Disk,
  emptyDisk,
  fold,
  type LoggedEntry,
  type Opened
} from "./blocklog-disk.ts"

/** How often each may happen. */
export interface Budget {
  readonly turn: number
  /** Turns of a mob's two aggregates in one submission. */
  readonly pair: number
  /** The same, but the second guard is wrong. */
  readonly wrong: number
  /** Heads that are not written of themselves: with an entry, or alone. */
  readonly head: number
  readonly end: number
  /** Entries of aggregates that have ended. */
  readonly late: number
  readonly checkpoint: number
  readonly prune: number
  readonly fail: number
  readonly crash: number
  readonly destroy: number
  /** Another log of a mob in the same process; of a destroyed one too. */
  readonly acquire: number
  /** A second process. */
  readonly takeover: number
}

export interface Config {
  readonly mobs: ReadonlyArray<string>
  readonly aggregates: ReadonlyArray<string>
  readonly budget: Partial<Budget>
  /**
   * Two processes may hold the database at a time; else the second one comes when the first lets go. Give it one mob: how
   * two owners of different mobs would share one `seq` is not said anywhere.
   */
  readonly shared?: boolean
}

/** An entry that waits. */
export interface Offered {
  readonly aggregate: string
  readonly rev: number
  readonly value: string
  readonly end: boolean
  /** The state after it, if a head is to be written. */
  readonly head: ReadonlyArray<string> | undefined
}

/** What joins a group. */
export type Item =
  | {
    readonly type: "turn"
    readonly mob: string
    readonly epoch: number
    readonly entries: ReadonlyArray<Offered>
    /** Its guards hold, if its owner knows its log. */
    readonly right: boolean
  }
  | {
    readonly type: "head"
    readonly mob: string
    readonly epoch: number
    readonly aggregate: string
    readonly state: ReadonlyArray<string>
  }
  | {
    readonly type: "prune"
    readonly mob: string
    readonly epoch: number
    readonly keep: number
    readonly forget: ReadonlyArray<string>
  }
  | { readonly type: "acquire"; readonly mob: string; readonly loaded: Memory | undefined }
  | { readonly type: "destroy"; readonly mob: string }
  /** A further step of destroying. */
  | { readonly type: "erase"; readonly mob: string }

/** A live aggregate in memory. */
export interface Known extends Omit<Opened, "state"> {
  readonly headRev: number
}

/** What a log keeps in memory; ahead of the disk by the group in flight. */
export interface Memory {
  nextPosition: number
  nextCursor: number
  live: { [aggregate: string]: Known }
  /** What each aggregate is after all that was submitted. */
  tips: { [aggregate: string]: Tip }
}

export interface Tip {
  readonly state: ReadonlyArray<string>
  readonly end: boolean
}

export interface Log {
  readonly mob: string
  epoch: number
  memory: Memory
}

/** An answer that is due when the group is durable. */
export interface Release {
  readonly mob: string
  readonly position: number
  readonly cursor: number
  readonly values: ReadonlyArray<string>
}

export interface Flight {
  /** One; several where a rule is left out. */
  readonly batches: ReadonlyArray<Batch>
  readonly releases: ReadonlyArray<Release>
  /** Those items of it that concern a whole mob. */
  readonly whole: ReadonlyArray<Extract<Item, { type: "acquire" | "destroy" | "erase" }>>
}

export interface Process {
  status: "down" | "open" | "reopening"
  seq: number
  settledSeq: number
  /** Owner epochs as this process knows them. */
  epochs: { [mob: string]: number }
  logs: Array<Log>
  queue: Array<Item>
  flight: Flight | undefined
  /** Mobs whose next block brings a checkpoint. */
  due: Array<string>
}

/** What truly happened to a mob, whoever wrote it. */
export interface Truth {
  /** Every entry that ever became durable, in order. */
  history: Array<LoggedEntry>
  /** Greatest cursor from which a prune was asked to keep. */
  keep: number
  /** How long the history was when an aggregate was forgotten. */
  forgotten: { [aggregate: string]: number }
}

export interface World {
  disk: Disk
  processes: Array<Process>
  truth: { [mob: string]: Truth }
  /** Newest durable group. */
  seq: number
  budget: Budget
  violation: string | undefined
}

const NO_BUDGET: Budget = {
  turn: 0,
  pair: 0,
  wrong: 0,
  head: 0,
  end: 0,
  late: 0,
  checkpoint: 0,
  prune: 0,
  fail: 0,
  crash: 0,
  destroy: 0,
  acquire: 0,
  takeover: 0
}

export const down = (): Process => ({
  status: "down",
  seq: 0,
  settledSeq: 0,
  epochs: {},
  logs: [],
  queue: [],
  flight: undefined,
  due: []
})

export const initialWorld = (config: Config): World => ({
  disk: emptyDisk(config.mobs),
  processes: (config.budget.takeover ?? 0) > 0 ? [down(), down()] : [down()],
  truth: Object.fromEntries(
    config.mobs.map((mob) => [mob, { history: [], keep: 1, forgotten: {} }])
  ),
  seq: 0,
  budget: { ...NO_BUDGET, ...config.budget },
  violation: undefined
})

const databases = new WeakMap<Disk, Database>()

/** The database as it stands. Disks are replaced, never changed. */
export const databaseOf = ({ disk }: World): Database => {
  const known = databases.get(disk)
  if (known !== undefined) return known
  const database = fold(disk.settled, disk.log)
  databases.set(disk, database)
  return database
}

/** Entries of an aggregate since it was last forgotten, oldest first. */
export const entriesOf = (truth: Truth, aggregate: string): ReadonlyArray<LoggedEntry> =>
  truth.history.slice(truth.forgotten[aggregate] ?? 0).filter((entry) => entry.aggregate === aggregate)

const mapValues = <A, B>(record: { readonly [key: string]: A }, change: (value: A) => B): { [key: string]: B } =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))

/** A copy to change; what is never changed is shared. */
export const copyWorld = (world: World): World => ({
  ...world,
  processes: world.processes.map((process) => ({
    ...process,
    epochs: { ...process.epochs },
    logs: process.logs.map((log) => ({
      ...log,
      memory: { ...log.memory, live: { ...log.memory.live }, tips: { ...log.memory.tips } }
    })),
    queue: [...process.queue],
    due: [...process.due]
  })),
  truth: mapValues(world.truth, (truth) => ({
    ...truth,
    history: [...truth.history],
    forgotten: { ...truth.forgotten }
  }))
})

/** Short texts of worlds, which share most of what they hold: parts of equal text have a number. */
export class Texts {
  readonly #numbers = new Map<string, number>()
  readonly #known = new WeakMap<object, number>()

  /** Everything that tells two disks, and what happened to them, apart. */
  readonly disk = ({ disk, seq, truth }: World): string => {
    const { log, mark, settled } = disk
    return [this.#of(settled), log.map(this.#of), mark, seq, ...Object.values(truth).map(this.#truth)].join("|")
  }

  /** Everything that tells two worlds apart. */
  readonly world = (world: World): string => {
    const processes = world.processes.map(({ flight, queue, ...process }) =>
      [JSON.stringify(process), flight === undefined ? "" : this.#of(flight), queue.map(this.#of)].join("|")
    )
    return [this.disk(world), ...processes, this.#of(world.budget), world.violation].join("|")
  }

  readonly #truth = ({ forgotten, history, keep }: Truth): string =>
    [history.map(this.#of), keep, JSON.stringify(forgotten)].join("/")

  /** The number of something that is never changed. */
  readonly #of = (value: object): number => {
    const known = this.#known.get(value)
    if (known !== undefined) return known
    const text = JSON.stringify(value)
    const number = this.#numbers.get(text) ?? this.#numbers.size
    this.#numbers.set(text, number)
    this.#known.set(value, number)
    return number
  }
}
