/**
 * What a journal must give back, kept in plain arrays: every entry of a mob in order, its events, its aggregates as the
 * full replay has them.
 */
import type { Json, JsonObject } from "../../sdk/json.ts"
import type { Committed, Entry, Loaded, StoredEvent, Submission } from "../../sdk/store.ts"

/** An entry to make. */
export interface DrawnEntry {
  readonly aggregate: string
  /** Added to the right revision: 0 is a guard that holds. */
  readonly off: number
  readonly facts: number
  readonly events: number
  /** Length of what makes its text long, so that heads are written of themselves. */
  readonly filler: number
  readonly terminal: boolean
}

/** A submission to make. */
export interface Drawn {
  readonly entries: ReadonlyArray<DrawnEntry>
  readonly head: { readonly aggregate: string; readonly off: number } | undefined
}

/** An aggregate as the full replay of its facts has it: the marks of all of them. */
interface Life {
  readonly born: number
  revision: number
  terminal: boolean
  /** Revisions of entries that ended it; another may follow. */
  ends: ReadonlyArray<number>
  marks: ReadonlyArray<string>
  entries: ReadonlyArray<Pick<Entry, "revision" | "at" | "facts">>
}

/** What the next submission looks like, and what must come of it. */
export interface Planned {
  readonly submission: Pick<Submission, "entries"> & Required<Pick<Submission, "heads">>
  readonly refusal: { readonly aggregate: string; readonly expected: number; readonly actual: number } | undefined
}

const marksOf = (facts: ReadonlyArray<JsonObject>): ReadonlyArray<string> => facts.map((fact) => String(fact["mark"]))

/** The state as the head of an aggregate has it. */
const stateOf = (marks: ReadonlyArray<string>): Json => ({ marks: [...marks] })

/** Head and tail of an aggregate folded; throws if they do not fit together. */
export const foldLoaded = (loaded: Loaded): { readonly revision: number; readonly marks: ReadonlyArray<string> } => {
  const { entries, head } = loaded
  // What `stateOf` made.
  const state = head?.state as { readonly marks: ReadonlyArray<string> } | undefined
  let revision = head?.revision ?? 0
  const marks = [...state?.marks ?? []]
  for (const entry of entries) {
    if (entry.revision !== ++revision) throw new Error(`revision ${entry.revision} stands where ${revision} should`)
    marks.push(...marksOf(entry.facts))
  }
  return { revision, marks }
}

/** One mob. */
export class Reference {
  /** Entries in order of their positions, with the number of their events. */
  readonly log: Array<number>
  readonly events: Array<StoredEvent>
  readonly aggregates: Map<string, Life>
  /** What was removed. */
  firstCursor: number
  firstPosition: number
  static #serial = 0

  constructor(from?: Reference) {
    this.log = [...from?.log ?? []]
    this.events = [...from?.events ?? []]
    this.aggregates = new Map([...from?.aggregates ?? []].map(([name, life]) => [name, { ...life }]))
    this.firstCursor = from?.firstCursor ?? 1
    this.firstPosition = from?.firstPosition ?? 1
  }

  /** What comes next. */
  get next(): Committed {
    return { position: this.log.length + 1, cursor: this.events.length + 1 }
  }

  /** Live aggregates, oldest first. */
  get live(): ReadonlyArray<string> {
    return [...this.aggregates].filter(([, { terminal }]) => !terminal).sort(([, a], [, b]) => a.born - b.born)
      .map(([name]) => name)
  }

  /** Events that stand below a position. */
  cursorAt(position: number): number {
    return 1 + this.log.slice(0, position - 1).reduce((sum, events) => sum + events, 0)
  }

  /** Makes a submission of what its writers know, and says what must come of it. */
  plan(drawn: Drawn): Planned {
    const after = new Reference(this)
    let refusal: Planned["refusal"]
    const entries = drawn.entries.map(({ aggregate, events, facts, filler, off, terminal }): Entry => {
      const life = after.aggregates.get(aggregate)
      const actual = life?.revision ?? 0
      const revision = actual + 1 + off
      if (off !== 0) refusal ??= { aggregate, expected: revision - 1, actual }
      const mark = `${aggregate}#${++Reference.#serial}`
      const text = "x".repeat(filler)
      const entry = {
        aggregate,
        revision,
        at: 1000 + Reference.#serial,
        facts: Array.from({ length: facts }, (_, index) => ({ type: "marked", mark: `${mark}.${index}`, text })),
        events: Array.from({ length: events }, (_, index) => ({ type: "marked", mark: `${mark}.${index}` })),
        terminal
      }
      const marks = [...life?.marks ?? [], ...marksOf(entry.facts)]
      const whole: Entry = { ...entry, snapshot: () => stateOf(marks) }
      if (off === 0) after.#add(whole)
      return whole
    })
    const { aggregate = "", off = 0 } = drawn.head ?? {}
    const life = after.aggregates.get(aggregate)
    const heads = life === undefined ? [] : [{
      aggregate,
      revision: life.revision + off,
      snapshot: () => stateOf(life.marks)
    }]
    if (life !== undefined && off !== 0) refusal ??= { aggregate, expected: life.revision + off, actual: life.revision }
    return { submission: { entries, heads }, refusal }
  }

  /** A submission is durable. */
  apply({ submission }: Planned): void {
    for (const entry of submission.entries) this.#add(entry)
  }

  #add(entry: Entry): void {
    const { aggregate, at, events, facts, revision, terminal } = entry
    const { cursor, position } = this.next
    const life = this.aggregates.get(aggregate) ?? { born: position, ends: [], marks: [], entries: [] }
    this.aggregates.set(aggregate, {
      ...life,
      revision,
      terminal,
      ends: terminal ? [...life.ends, revision] : life.ends,
      marks: [...life.marks, ...marksOf(facts)],
      entries: [...life.entries, { revision, at, facts }]
    })
    this.log.push(events.length)
    events.forEach((event, index) => this.events.push({ cursor: cursor + index, at, event }))
  }
}
