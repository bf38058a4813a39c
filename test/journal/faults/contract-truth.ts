/**
 * What was acknowledged to the writer of a mob, and whether what is found is that.
 */
import { Effect } from "effect"
import type { Committed, Loaded, MobReads, Pruned, StoreError } from "../../../sdk/store.ts"

/** What was found is not what was acknowledged. */
export class Wrong extends Error {}

export const wrong = (what: string): Effect.Effect<never> => Effect.die(new Wrong(what))

/** A submission as the truth keeps it. */
export interface Written {
  readonly entries: ReadonlyArray<
    { readonly aggregate: string; readonly revision: number; readonly name: string; readonly ends: boolean }
  >
  /** Of a definition that goes with it. */
  readonly digest: string | undefined
}

/** What is known of an aggregate. */
interface Known {
  /** Facts that are there, by revision. */
  readonly names: Array<string>
  ended: boolean
  /** Whether a prune forgot it; `maybe` if that prune failed. */
  forgotten: "no" | "maybe" | "yes"
}

/** Grows with each acknowledgement. */
export class Truth {
  readonly #known = new Map<string, Known>()
  /** Names of events whose cursor was acknowledged. */
  readonly #events = new Map<number, string>()
  readonly #positions = new Set<number>()
  /** Names of entries that are not there. */
  readonly #dropped = new Set<string>()
  readonly #digests: Array<string> = []
  readonly #blobs = new Map<string, { readonly text: string; referred: boolean }>()
  /** Submissions whose fate is unknown. */
  #doubts: Array<Written> = []
  #firstCursor = 1

  /** Facts of an aggregate, by revision. */
  names(aggregate: string): ReadonlyArray<string> {
    return this.#known.get(aggregate)?.names ?? []
  }

  /** Aggregates that ended, or that did not. */
  named(ended: boolean): ReadonlyArray<string> {
    return [...this.#known].filter(([, known]) => known.ended === ended).map(([name]) => name)
  }

  /** Hashes of all blobs that were kept. */
  get blobs(): ReadonlyArray<string> {
    return [...this.#blobs.keys()]
  }

  committed(written: Written, at: Committed): void {
    this.#there(written)
    for (const [index, { name }] of written.entries.entries()) {
      if (this.#positions.has(at.position + index)) throw new Wrong(`position ${at.position + index} is given again`)
      this.#positions.add(at.position + index)
      this.#events.set(at.cursor + index, name)
    }
  }

  failed(written: Written, error: StoreError): void {
    if ("outcome" in error && error.outcome === "unknown") this.#doubts.push(written)
    else this.#drop(written)
  }

  kept(sha256: string, text: string): void {
    this.#blobs.set(sha256, { text, referred: false })
  }

  /** A record refers to all blobs so far. */
  referred(): void {
    for (const blob of this.#blobs.values()) blob.referred = true
  }

  forgotten(names: ReadonlyArray<string>, pruned: Pruned | undefined): void {
    for (const known of names.flatMap((name) => this.#known.get(name) ?? [])) {
      if (pruned !== undefined) known.forgotten = "yes"
      else if (known.forgotten === "no") known.forgotten = "maybe"
    }
    if (pruned !== undefined) this.#firstCursor = pruned.firstCursor
  }

  /** Looks what became of submissions in doubt: each is there as a whole or not at all. */
  resolve(log: MobReads): Effect.Effect<void, StoreError> {
    return Effect.gen({ self: this }, function*() {
      const doubts = this.#doubts
      this.#doubts = []
      for (const doubt of doubts) {
        const found: Array<boolean> = []
        for (const { aggregate, name, revision } of doubt.entries) {
          found.push(namesIn(yield* log.load(aggregate))[revision - 1] === name)
        }
        if (doubt.digest !== undefined) found.push((yield* log.pinned(doubt.digest)) !== undefined)
        if (new Set(found).size !== 1) yield* wrong(`half a submission is there: ${doubt.entries.map((it) => it.name)}`)
        if (found[0] === true) this.#there(doubt)
        else this.#drop(doubt)
      }
    })
  }

  #there({ digest, entries }: Written): void {
    for (const { aggregate, ends, name } of entries) {
      const known = this.#known.get(aggregate) ?? { names: [], ended: false, forgotten: "no" }
      known.names.push(name)
      known.ended = ends
      this.#known.set(aggregate, known)
    }
    if (digest !== undefined) this.#digests.push(digest)
  }

  #drop({ entries }: Written): void {
    for (const { name } of entries) this.#dropped.add(name)
  }

  /** All aggregates and all events. */
  holdAll(log: MobReads): Effect.Effect<void, StoreError> {
    return Effect.gen({ self: this }, function*() {
      for (const aggregate of this.#known.keys()) yield* this.holdAggregate(log, aggregate)
      yield* this.holdEvents(log, 0, 100_000)
    })
  }

  holdAggregate(log: MobReads, aggregate: string): Effect.Effect<void, StoreError> {
    return Effect.flatMap(log.load(aggregate), (loaded) => {
      const known = this.#known.get(aggregate)
      const names = namesIn(loaded)
      if (known === undefined) return loaded === undefined ? Effect.void : wrong(`${aggregate} holds ${names}`)
      if (loaded === undefined && known.forgotten === "maybe") known.forgotten = "yes"
      const wanted = known.forgotten === "yes" ? [] : known.names
      return names.join() === wanted.join() ? Effect.void : wrong(`${aggregate} holds ${names}, not ${wanted}`)
    })
  }

  holdLive(log: MobReads): Effect.Effect<void, StoreError> {
    return Effect.flatMap(log.live, (live) => {
      const wanted = this.named(false)
      return live.toSorted().join() === wanted.toSorted().join() ? Effect.void : wrong(`live is ${live}, not ${wanted}`)
    })
  }

  /** Cursors without a gap, acknowledged ones with their event, and no event of what is not there. */
  holdEvents(log: MobReads, after: number, limit: number): Effect.Effect<void, StoreError> {
    return Effect.gen({ self: this }, function*() {
      let from = Math.max(after, this.#firstCursor - 1)
      const read = yield* log.events(from, limit).pipe(
        Effect.catchTag("HistoryPruned", ({ first_cursor }) => {
          // A prune that failed removed some of what it was to remove.
          this.#firstCursor = first_cursor
          from = first_cursor - 1
          return log.events(from, limit)
        })
      )
      const length = Math.min(limit, Math.max(0, log.latestCursor() - from))
      if (read.length !== length) yield* wrong(`${read.length} events after ${from}, not ${length}`)
      for (const [index, { cursor, event }] of read.entries()) {
        const name = String(event["name"])
        const acknowledged = this.#events.get(cursor) ?? name
        if (cursor !== from + 1 + index) yield* wrong(`cursor ${cursor} comes after ${from + index}`)
        if (acknowledged !== name) yield* wrong(`event ${cursor} is ${name}, not ${acknowledged}`)
        if (this.#dropped.has(name)) yield* wrong(`event ${name} is there, and its entry is not`)
      }
      if (new Set(read.map(({ event }) => event["name"])).size < read.length) yield* wrong("an event is there twice")
    })
  }

  holdPins(log: MobReads): Effect.Effect<void, StoreError> {
    return Effect.forEach(
      this.#digests.slice(-3),
      (digest) =>
        Effect.flatMap(log.pinned(digest), (definition) =>
          JSON.stringify(definition) === JSON.stringify({ digest })
            ? Effect.void
            : wrong(`definition ${digest} is gone`)),
      {
        discard: true
      }
    )
  }

  /** Those that a record refers to, and one that was never kept. */
  holdBlobs(log: MobReads): Effect.Effect<void, StoreError> {
    const referred = [...this.#blobs].filter(([, { referred }]) => referred).slice(-3)
    const wanted = [["00".repeat(32), ""] as const, ...referred.map(([sha256, { text }]) => [sha256, text] as const)]
    return Effect.forEach(
      wanted,
      ([sha256, text]) =>
        Effect.flatMap(
          log.blob(sha256),
          (bytes) =>
            new TextDecoder().decode(bytes) === text ? Effect.void : wrong(`the blob of ${text} is not what was kept`)
        ),
      {
        discard: true
      }
    )
  }
}

/** Names of all facts that a load says there are. */
export const namesIn = (loaded: Loaded | undefined): ReadonlyArray<string> => {
  // What the writers of these tests snapshot.
  const state = loaded?.head?.state as { readonly names: ReadonlyArray<string> } | undefined
  return [
    ...state?.names ?? [],
    ...loaded?.entries.flatMap(({ facts }) => facts.map((fact) => String(fact["name"]))) ?? []
  ]
}
