/**
 * What a mob's log must give back after the power came again: all that was acknowledged, of the rest a prefix, nothing
 * half, nothing twice. Kept in plain arrays beside the journal that is tested.
 */
import { crc32 } from "node:zlib"
import type { JsonObject } from "../../../sdk/json.ts"
import type { Entry, HeadOnly, Loaded } from "../../../sdk/store.ts"

/** An aggregate after one of its entries. The digest follows from all its facts in order. */
export interface Standing {
  readonly revision: number
  readonly digest: number
  readonly terminal: boolean
  /** Place of its first entry in {@link Truth.sent}: the order of its birth. */
  readonly born: number
  readonly blobs: ReadonlyArray<string>
}

/** A submission, as it was sent. */
export interface Sent {
  readonly entries: ReadonlyArray<{ readonly aggregate: string; readonly after: Standing }>
  readonly events: ReadonlyArray<JsonObject>
  readonly digest: string | undefined
  /** Where it must land. */
  readonly position: number
  readonly cursor: number
}

/** An entry to make. */
export interface Draft {
  readonly aggregate: string
  readonly events: number
  readonly filler: number
  readonly terminal: boolean
  readonly blob: string | undefined
}

/** Bytes that were kept. */
export interface Kept {
  readonly bytes: Uint8Array
  /** Its keeping was acknowledged. */
  acknowledged: boolean
  /** In which life it was kept; a prune in a later one removes what nothing refers to. */
  readonly life: number
  /** A prune that may remove it was begun. */
  swept: boolean
}

const unborn = (born: number): Standing => ({ revision: 0, digest: 0, terminal: false, born, blobs: [] })

const stateOf = ({ blobs, digest, revision }: Standing) => ({
  revision,
  digest,
  blobs: blobs.map((sha256) => `blob:${sha256}`)
})

/** One mob from its first acquire until it is destroyed. */
export class Truth {
  /** Submissions in order. */
  readonly sent: Array<Sent> = []
  /** How many of them were acknowledged. */
  acknowledged = 0
  /** First cursor that is there: what the last prune said, and the most that one asked for. */
  floor = 1
  asked = 1
  /** Aggregates that are forgotten, and that may be. */
  readonly gone = new Set<string>()
  readonly going = new Set<string>()
  readonly blobs = new Map<string, Kept>()
  /** Aggregates that were given a name; none is given twice. */
  births = 0
  /** Numbers in facts and events tell whose they are. */
  static #serial = 0

  /** Aggregates after the first `count` submissions. */
  after(count: number): Map<string, Standing> {
    const standing = new Map<string, Standing>()
    for (const { entries } of this.sent.slice(0, count)) {
      for (const { after, aggregate } of entries) standing.set(aggregate, after)
    }
    return standing
  }

  /** Position and cursor that the next submission gets. */
  get next(): { readonly position: number; readonly cursor: number } {
    const last = this.sent.at(-1)
    if (last === undefined) return { position: 1, cursor: 1 }
    return { position: last.position + last.entries.length, cursor: last.cursor + last.events.length }
  }

  /** Makes a submission and takes it for sent. */
  send(
    drafts: ReadonlyArray<Draft>,
    digest: string | undefined
  ): { readonly sent: Sent; readonly entries: Array<Entry> } {
    const standing = this.after(this.sent.length)
    const entries: Array<Entry> = []
    const { cursor, position } = this.next
    const afters: Array<Sent["entries"][number]> = []
    for (const { aggregate, blob, events, filler, terminal } of drafts) {
      const before = standing.get(aggregate) ?? unborn(position + afters.length)
      const serial = ++Truth.#serial
      const fact = { serial, filler: "x".repeat(filler), ...(blob === undefined ? {} : { blob: `blob:${blob}` }) }
      const after: Standing = {
        ...before,
        revision: before.revision + 1,
        digest: digestOf(before.digest, serial),
        terminal,
        blobs: blob === undefined ? before.blobs : [...before.blobs, blob]
      }
      standing.set(aggregate, after)
      afters.push({ aggregate, after })
      entries.push({
        aggregate,
        revision: after.revision,
        at: serial,
        facts: [fact],
        events: Array.from({ length: events }, (_, index) => ({ type: "sent", serial, index })),
        snapshot: () => stateOf(after),
        terminal
      })
    }
    const sent = { entries: afters, events: entries.flatMap((entry) => entry.events), digest, position, cursor }
    this.sent.push(sent)
    return { sent, entries }
  }

  /** A head of the newest state of an aggregate. */
  head(aggregate: string): HeadOnly | undefined {
    const standing = this.after(this.sent.length).get(aggregate)
    return standing && { aggregate, revision: standing.revision, snapshot: () => stateOf(standing) }
  }

  /** Ended aggregates whose end was acknowledged, and that were sent nothing since. */
  get ended(): ReadonlyArray<string> {
    const newest = this.after(this.sent.length)
    return [...this.after(this.acknowledged)]
      .filter(([name, standing]) => standing.terminal && standing === newest.get(name) && !this.gone.has(name))
      .map(([name]) => name)
  }

  /** Only the first `count` submissions are there. */
  landed(count: number): void {
    this.sent.length = count
    this.acknowledged = count
  }
}

const digestOf = (digest: number, serial: unknown) => crc32(String(serial), digest)

/** Head and tail of an aggregate folded. Throws if they do not fit together. */
export const fold = ({ entries, head }: Loaded): Omit<Standing, "born"> => {
  // What `stateOf` made.
  const state = head?.state as { revision: number; digest: number; blobs: ReadonlyArray<string> } | undefined
  if (state?.revision !== head?.revision) throw new Error("the head is not the state after its revision")
  let revision = state?.revision ?? 0
  let digest = state?.digest ?? 0
  let terminal = head?.terminal ?? false
  const blobs = (state?.blobs ?? []).map((blob) => blob.slice(5))
  for (const entry of entries) {
    if (entry.revision !== ++revision) throw new Error(`revision ${entry.revision} stands where ${revision} should`)
    terminal = false
    for (const fact of entry.facts) {
      digest = digestOf(digest, fact["serial"])
      if (typeof fact["blob"] === "string") blobs.push(fact["blob"].slice(5))
    }
  }
  return { revision, digest, terminal, blobs }
}
