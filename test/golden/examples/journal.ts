/**
 * Records of the journal in their newest version, each under its key, as the store writes them.
 */
import { createHash } from "node:crypto"
import { entryLine, sealBlock } from "../../../core/journal/block.ts"
import { sealCheckpoint } from "../../../core/journal/checkpoint.ts"
import { sealHead } from "../../../core/journal/head.ts"
import {
  blockKey,
  checkpointKey,
  headKey,
  type Key,
  metaKey,
  mobKey,
  pinKey,
  type RecordType
} from "../../../core/journal/keys.ts"
import { format, sealMeta, sealMob } from "../../../core/journal/registry.ts"
import { seal } from "../../../core/journal/seal.ts"
import { pinnable } from "../../../core/mob/checks.ts"
import { canonical, type Json } from "../../../sdk/json.ts"
import type { Entry } from "../../../sdk/store.ts"
import { definitions } from "./definition.ts"

/** A record as it stands in the database: the key in hex. */
const record = (key: Key, value: string): Json => ({ key: key.toString("hex"), value })

const entry = (aggregate: string, revision: number, more: Partial<Entry> = {}): Entry => ({
  aggregate,
  revision,
  at: 1735732800000 + revision,
  facts: [{ v: 1, type: "counted", count: revision, text: "\u2028\"ünicode\" 😀\n" }],
  events: [{ type: "counted", count: revision }],
  snapshot: () => null,
  terminal: false,
  ...more
})

const block = (mobNo: number, header: Parameters<typeof sealBlock>[1], entries: ReadonlyArray<Entry>): Json => {
  const key = blockKey(mobNo, header.position)
  return record(key, sealBlock(key, header, entries.map((it) => entryLine(it, 3))))
}

const head = (mobNo: number, aggregate: string, revision: number, terminal: boolean): Json =>
  record(
    headKey(mobNo, aggregate),
    sealHead(mobNo, aggregate, {
      revision,
      position: revision + 10,
      born: 4,
      terminal,
      text: JSON.stringify({ v: 1, count: revision, text: "ünicode 😀" })
    })
  )

const checkpoint = (mobNo: number, more: Partial<Parameters<typeof sealCheckpoint>[1]> = {}): Json =>
  record(
    checkpointKey(mobNo),
    sealCheckpoint(mobNo, {
      nextPosition: 1,
      nextCursor: 1,
      oldest: 1,
      firstCursor: 1,
      settledSeq: 0,
      live: [],
      cursors: [],
      distance: 1024,
      ...more
    })
  )

/** Examples of each type. */
export const records: { readonly [type in RecordType]: () => ReadonlyArray<Json> } = {
  meta: () => [
    record(metaKey, sealMeta({ format, seqFloor: 0 })),
    record(metaKey, sealMeta({ format, seqFloor: 2 ** 40 }))
  ],
  mob: () =>
    ([
      ["newsroom", { mobNo: 1, epoch: 3 }],
      ["ünicode 😀", { mobNo: 2, epoch: 1 }],
      ["going", { mobNo: 3, epoch: 2, destroyed: "begun" }],
      ["gone", { mobNo: 2 ** 32 - 1, epoch: 2, destroyed: "done" }]
    ] as const).map(([name, registered]) => record(mobKey(name), sealMob(name, registered))),
  block: () => [
    block(1, { seq: 1, position: 1, cursor: 1 }, [entry("mob", 1)]),
    block(1, { seq: 8, position: 2 ** 33 + 5, cursor: 6 }, [
      entry("mob", 9, { facts: [{ v: 1, type: "one" }, { v: 1, type: "two" }], events: [] }),
      entry("run/\"ünicode\" 😀", 2, { terminal: true }),
      entry("inbox/ada", 1, { at: 1735732800000.5 })
    ])
  ],
  head: () => [head(1, "mob", 2, false), head(7, "run/ünicode 😀", 2 ** 40, true)],
  checkpoint: () => [
    checkpoint(1),
    checkpoint(7, {
      nextPosition: 700,
      nextCursor: 900,
      oldest: 80,
      firstCursor: 90,
      settledSeq: 60,
      live: [
        { aggregate: "mob", born: 1, rev: 9, position: 699, need: 0 },
        { aggregate: "run/ünicode 😀", born: 600, rev: 2, position: 650, need: 640 }
      ],
      cursors: [[90, 80], [500, 400]]
    })
  ],
  pin: () =>
    definitions.map((definition) => {
      const pinned = pinnable(definition)
      const key = pinKey(createHash("sha256").update(canonical(pinned)).digest("hex"))
      return record(key, seal(key, {}, JSON.stringify(pinned)))
    })
}
