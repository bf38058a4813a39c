/**
 * One mob of a survey: what is intact of its checkpoint, heads and blocks, and what of it does not fit together.
 */
import { type Block, parseEntry } from "../block.ts"
import type { Checkpoint } from "../checkpoint.ts"
import type { Head } from "../head.ts"
import { blockKey, checkpointKey, headKey } from "../keys.ts"
import { BlockList } from "./block-list.ts"
import type { Find } from "./finding.ts"
import { References } from "./references.ts"

/** A head without its state. */
export type HeadSeen = Omit<Head, "text">

/** A place in a log. */
export interface Place {
  readonly position: number
  readonly cursor: number
}

/** An intact block: its beginning, and where the next one should begin. */
export interface BlockSeen extends Place {
  readonly seq: number
  readonly next: Place
}

/** An entry after the head of its aggregate, as it stands in a block. */
export interface EntrySeen {
  readonly rev: number
  readonly position: number
  readonly terminal: boolean
  readonly line: string
}

/** What the log says of an aggregate. */
export interface AggregateSeen {
  rev: number
  position: number
  terminal: boolean
  /** Entries after its head, if it has one that can be read. */
  readonly since: Array<EntrySeen>
}

/** Revisions of an aggregate that a hole took. */
interface RevisionsMissing {
  readonly aggregate: string
  readonly first: number
  readonly last: number
  /** Position of the entry behind them. */
  readonly before: number
}

/** Takes a checkpoint, then heads, then blocks in order; what cannot be read of them is told with `damaged`. */
export class MobSurvey {
  readonly mobNo: number
  checkpoint: Checkpoint | undefined
  readonly heads = new Map<string, HeadSeen>()
  /** Aggregates whose head cannot be read. */
  readonly damagedHeads = new Set<string>()
  readonly blocks = new BlockList()
  readonly aggregates = new Map<string, AggregateSeen>()
  readonly references = new References()
  /** Positions, first and last, that no block is left of. */
  readonly holes: Array<readonly [first: number, last: number]> = []
  /** Revisions that stood in the last hole before a position: of aggregates that go on behind it. */
  readonly missing: Array<RevisionsMissing> = []
  /** The highest owner epoch that wrote. */
  epoch = 0
  /** Where the log would go on after all that was seen of it. */
  end: Place = { position: 1, cursor: 1 }
  readonly #find: Find
  readonly #stood = new Set<string>()
  /** Entries before this position are cut off from those after it. */
  #cut = 0
  #compared = false

  constructor(mobNo: number, find: Find) {
    this.mobNo = mobNo
    this.#find = find
  }

  /** Where the log begins. */
  get first(): Place {
    const { checkpoint } = this
    return checkpoint === undefined
      ? { position: 1, cursor: 1 }
      : { position: checkpoint.oldest, cursor: checkpoint.firstCursor }
  }

  head(aggregate: string, { born, position, revision, terminal, text }: Head): void {
    this.heads.set(aggregate, { revision, position, born, terminal })
    this.references.add(text)
    this.#reach({ position: position + 1, cursor: 0 })
  }

  /** A block that stands under this position and cannot be read. */
  damagedBlock(position: number): void {
    this.#reach({ position: position + 1, cursor: 0 })
  }

  block(block: Block): void {
    const { cursor, lines, position, seq } = block
    const key = blockKey(this.mobNo, position)
    const before = this.blocks.at(-1)
    const expected = before?.next ?? this.first
    this.#compare(position)
    if (position < this.first.position) {
      return this.#find(key, `it is before position ${this.first.position}, where the log begins`)
    }
    if (position > expected.position) {
      this.#find(key, `positions ${expected.position} to ${position - 1} before it are missing`)
      this.holes.push([expected.position, position - 1])
      this.#cut = position
    } else if (position < expected.position) {
      this.#find(key, `the block before it ends at position ${expected.position - 1}`)
      this.#cut = position
    } else if (cursor !== expected.cursor) {
      this.#find(key, `its first cursor is ${cursor}, not ${expected.cursor}`)
      this.#cut = position
    }
    if (before !== undefined && seq <= before.seq) this.#find(key, "its seq is not above that of the block before it")
    const next = { position: position + lines.length, cursor }
    for (const [index, line] of lines.entries()) {
      const entry = parseEntry(line)
      this.epoch = Math.max(this.epoch, entry.epoch)
      this.references.add(line)
      this.#entry(entry.aggregate, entry.rev, position + index, entry.terminal === true, line)
      next.cursor += entry.events.length
    }
    this.blocks.push({ seq, position, cursor, next })
    this.#reach(next)
    const end = this.checkpoint?.nextPosition ?? 0
    if (position < end && next.position > end) this.#find(key, "the checkpoint ends within it")
  }

  /** All of it was told. */
  done(): void {
    const { checkpoint, mobNo } = this
    const last = this.blocks.at(-1)?.next ?? this.first
    this.#compare(Infinity)
    if (checkpoint !== undefined) {
      if (last.position < checkpoint.nextPosition) {
        this.#find(
          blockKey(mobNo, last.position),
          `positions ${last.position} to ${checkpoint.nextPosition - 1} are missing`
        )
      }
      this.#reach({ position: checkpoint.nextPosition, cursor: checkpoint.nextCursor })
    }
    for (const [aggregate, head] of this.heads) this.#checkHead(aggregate, head, last.position)
    for (const [aggregate, seen] of this.aggregates) {
      if (seen.terminal || this.heads.has(aggregate) || this.damagedHeads.has(aggregate)) continue
      this.#find(headKey(mobNo, aggregate), "it is missing")
    }
  }

  #reach(place: Place): void {
    this.end = {
      position: Math.max(this.end.position, place.position),
      cursor: Math.max(this.end.cursor, place.cursor)
    }
  }

  #entry(aggregate: string, rev: number, position: number, terminal: boolean, line: string): void {
    const { mobNo } = this
    const head = this.heads.get(aggregate)
    const seen = this.aggregates.get(aggregate)
    const follows = seen === undefined || seen.position < this.#cut
      ? rev === 1 || this.first.position > 1 || this.#cut > 0
      // After its end it may have been forgotten and begun anew; and it may have been seated anew by a repair.
      : rev === seen.rev + 1 || rev === 1 && seen.terminal
        || head !== undefined && seen.position < head.born && position >= head.born
    if (!follows) {
      this.#find(blockKey(mobNo, position), `${aggregate} has revision ${rev} after ${seen?.rev ?? 0}`)
    }
    const last = seen?.rev ?? 0
    if (this.#cut > (seen?.position ?? 0) && rev > last + 1 && (seen !== undefined || this.first.position === 1)) {
      this.missing.push({ aggregate, first: last + 1, last: rev - 1, before: position })
    }
    if (head !== undefined && position === head.position && rev === head.revision) this.#stood.add(aggregate)
    const known = seen ?? { rev, position, terminal, since: [] }
    known.rev = rev
    known.position = position
    known.terminal = terminal
    if (head !== undefined && position >= head.born && rev > head.revision) {
      known.since.push({ rev, position, terminal, line })
    }
    this.aggregates.set(aggregate, known)
  }

  /** Compares the checkpoint with the log once the log has come to where the checkpoint was written. */
  #compare(position: number): void {
    const { checkpoint, mobNo } = this
    if (checkpoint === undefined || this.#compared || position < checkpoint.nextPosition) return
    this.#compared = true
    const wrong = (what: string) => this.#find(checkpointKey(mobNo), what)
    const before = this.blocks.at(-1)?.next ?? this.first
    if (before.position === checkpoint.nextPosition && before.cursor !== checkpoint.nextCursor) {
      wrong(`it says that cursor ${checkpoint.nextCursor} comes next, the log says ${before.cursor}`)
    }
    for (const [cursor, start] of checkpoint.cursors) {
      if (this.#cut === 0 && this.blocks.cursorAt(start) !== cursor) {
        wrong(`it has cursor ${cursor} at position ${start}`)
      }
    }
    const live = new Map(checkpoint.live.map((it) => [it.aggregate, it]))
    for (const [aggregate, { position, rev, terminal }] of this.aggregates) {
      const known = live.get(aggregate)
      if (known === undefined && !terminal) wrong(`it does not know ${aggregate}, which is live`)
      if (known === undefined || position < known.born) continue
      if (terminal) wrong(`it says that ${aggregate} is live, which has ended`)
      else if (known.rev !== rev || known.position !== position) {
        wrong(`it says that ${aggregate} stands at revision ${known.rev}, the log says ${rev}`)
      }
    }
    for (const { aggregate, need } of checkpoint.live) {
      if (need > 0 && this.#cut === 0 && this.blocks.cursorAt(need) === undefined) {
        wrong(`${aggregate} needs block ${need}, which is not there`)
      }
      if (!this.heads.has(aggregate) && !this.damagedHeads.has(aggregate) && !this.aggregates.has(aggregate)) {
        this.#find(headKey(mobNo, aggregate), "it is missing")
      }
    }
  }

  #checkHead(aggregate: string, head: HeadSeen, end: number): void {
    const wrong = (what: string) => this.#find(headKey(this.mobNo, aggregate), what)
    if (head.position >= end) return wrong(`it stands at position ${head.position}, the log ends at ${end - 1}`)
    const known = this.aggregates.get(aggregate)
    const seen = known !== undefined && known.position >= head.born ? known : undefined
    const whole = head.position >= Math.max(this.first.position, this.#cut)
    if (whole && !this.#stood.has(aggregate)) return wrong("it does not stand on the entry that it names")
    if (seen === undefined) {
      if (head.terminal || this.checkpoint?.live.some((it) => it.aggregate === aggregate) === true) return
      return wrong("it is live, but neither the log nor the checkpoint knows it")
    }
    if (seen.rev < head.revision) return wrong(`it stands at revision ${head.revision}, the log ends at ${seen.rev}`)
    if (seen.rev === head.revision && seen.terminal !== head.terminal) {
      return wrong(`it says that ${aggregate} ${head.terminal ? "has ended" : "is live"}, the log does not`)
    }
    if (
      seen.since.length !== seen.rev - head.revision
      || seen.since.some((entry, index) => entry.rev !== head.revision + 1 + index)
    ) wrong(`not all entries from revision ${head.revision} to ${seen.rev} are in the log`)
  }
}
