/**
 * What stands on disk, to the letter: a change here is a new record version.
 */
import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import {
  entryLine,
  parseEntry,
  sealBlock,
  sealBlockBytes,
  unsealBlock,
  unsealScanned
} from "../../core/journal/block.ts"
import { sealCheckpoint, unsealCheckpoint } from "../../core/journal/checkpoint.ts"
import { CursorMap } from "../../core/journal/cursor-map.ts"
import { sealHead, unsealHead } from "../../core/journal/head.ts"
import { blockKey, checkpointKey, headKey, headKeys, metaKey, mobKey, pinKey } from "../../core/journal/keys.ts"
import { Pad } from "../../core/journal/pad.ts"
import { sealMeta, sealMob } from "../../core/journal/registry.ts"
import { seal, unseal } from "../../core/journal/seal.ts"
import { entry } from "./logs.ts"

describe("keys", () => {
  it("are a table byte, big-endian numbers, and names as UTF-8", () => {
    expect(metaKey.toString("hex")).toBe("01")
    expect(mobKey("ab").toString("hex")).toBe("026162")
    expect(blockKey(7, 2 ** 32 + 5).toString("hex")).toBe("10000000070000000100000005")
    expect(headKey(7, "é").toString("hex")).toBe("1100000007c3a9")
    expect(checkpointKey(7).toString("hex")).toBe("1200000007")
    expect(pinKey("0f".repeat(32)).toString("hex")).toBe(`40${"0f".repeat(32)}`)
  })

  it("bound the heads of a prefix, also of the empty one", () => {
    const { gte, lt } = headKeys(7, "run/")
    for (const name of ["run/", "run/a", "run/\u{10ffff}"]) {
      expect(Buffer.compare(gte, headKey(7, name)) <= 0 && Buffer.compare(headKey(7, name), lt) < 0).toBe(true)
    }
    for (const name of ["run", "run0", "inbox/a"]) {
      expect(Buffer.compare(gte, headKey(7, name)) <= 0 && Buffer.compare(headKey(7, name), lt) < 0).toBe(false)
    }
    expect(headKeys(255, "").lt.toString("hex")).toBe("11000001")
  })
})

describe("blocks in bytes", () => {
  const group = fc.array(
    fc.record({
      seq: fc.nat(),
      position: fc.nat(2 ** 40),
      cursor: fc.nat(),
      // Any text, halves of surrogate pairs too, as it stands in JSON; now and then more than the pad holds at first.
      lines: fc.array(
        fc.tuple(fc.string({ unit: "binary", maxLength: 40 }), fc.constantFrom(1, 1, 1, 3_000)).map(([text, times]) =>
          JSON.stringify(text.repeat(times))
        ),
        { minLength: 1, maxLength: 5 }
      )
    }),
    { minLength: 1, maxLength: 6 }
  )

  it("are the same as in text, all that one group holds, and again in the next", () => {
    const pad = new Pad()
    fc.assert(fc.property(group, (blocks) => {
      pad.clear()
      const sealed = blocks.map(({ lines, ...place }) => {
        const key = blockKey(1, place.position)
        return { bytes: sealBlockBytes(key, place, lines, pad), text: sealBlock(key, place, lines) }
      })
      for (const { bytes, text } of sealed) expect(bytes.toString()).toBe(text)
    }))
  })
})

describe("records", () => {
  it("are a header line and a body", () => {
    expect(sealMeta({ format: 1, seqFloor: 0 })).toBe("{\"v\":1,\"format\":1,\"seq_floor\":0,\"crc\":1755123252}\n")
    expect(sealMob("team", { mobNo: 3, epoch: 9 })).toBe("{\"v\":1,\"mob_no\":3,\"epoch\":9,\"crc\":378332784}\n")
    const head = { revision: 2, position: 5, born: 1, terminal: false, text: "{\"a\":1}" }
    expect(sealHead(1, "run/a", head)).toBe(
      "{\"v\":1,\"rev\":2,\"position\":5,\"born\":1,\"terminal\":false,\"crc\":310954896}\n{\"a\":1}"
    )
    expect(unsealHead(1, "run/a", sealHead(1, "run/a", head))).toEqual(head)
    const key = blockKey(1, 5)
    const lines = [entryLine(entry("run/a", 2), 4), entryLine(entry("mob", 9, { events: [], terminal: true }), 4)]
    const block = sealBlock(key, { seq: 8, position: 5, cursor: 6 }, lines)
    expect(block).toBe(
      "{\"v\":1,\"seq\":8,\"position\":5,\"cursor\":6,\"n\":2,\"crc\":3885035308}\n"
        + "{\"aggregate\":\"run/a\",\"rev\":2,\"epoch\":4,\"at\":1002,\"facts\":[{\"type\":\"counted\",\"aggregate\":\"run/a\",\"revision\":2}],"
        + "\"events\":[{\"type\":\"counted\",\"aggregate\":\"run/a\",\"revision\":2}]}\n"
        + "{\"aggregate\":\"mob\",\"rev\":9,\"epoch\":4,\"at\":1009,\"facts\":[{\"type\":\"counted\",\"aggregate\":\"mob\",\"revision\":9}],"
        + "\"events\":[],\"terminal\":true}"
    )
    expect(unsealBlock(key, block)).toEqual({ seq: 8, position: 5, cursor: 6, lines })
    expect(unsealScanned(1, block)).toEqual(unsealBlock(key, block))
    expect(lines.map(parseEntry)[1]).toMatchObject({ aggregate: "mob", rev: 9, terminal: true })
    const checkpoint = {
      nextPosition: 7,
      nextCursor: 8,
      oldest: 2,
      firstCursor: 3,
      settledSeq: 4,
      live: [{ aggregate: "mob", born: 1, rev: 9, position: 6, need: 5 }],
      cursors: [[6, 5] as const],
      distance: 1024
    }
    expect(sealCheckpoint(1, checkpoint)).toBe(
      "{\"v\":1,\"next_position\":7,\"next_cursor\":8,\"oldest\":2,\"first_cursor\":3,\"settled_seq\":4,\"crc\":3663685094}\n"
        + "{\"live\":[{\"aggregate\":\"mob\",\"born\":1,\"rev\":9,\"position\":6,\"need\":5}],\"cursors\":[[6,5]],\"distance\":1024}"
    )
    expect(unsealCheckpoint(1, sealCheckpoint(1, checkpoint))).toEqual(checkpoint)
  })

  it("are refused under another key, with any character changed, and in another version", () => {
    const key = blockKey(1, 5)
    const value = sealBlock(key, { seq: 8, position: 5, cursor: 6 }, [entryLine(entry("mob", 1), 1)])
    expect(() => unseal(blockKey(2, 5), value)).toThrow(/checksum/)
    for (let at = 0; at < value.length; at++) {
      const changed = value.slice(0, at) + String.fromCharCode(value.charCodeAt(at) ^ 1) + value.slice(at + 1)
      expect(() => unsealBlock(key, changed)).toThrow(/damaged/)
    }
    const later = seal(key, { v: 2 }, "")
    expect(() => unseal(key, later)).toThrow(/has version 2, this program reads version 1/)
  })
})

describe("a cursor map", () => {
  it("finds the block of a cursor, and stays small however long the history", () => {
    const map = new CursorMap([], 1024)
    for (let block = 0; block < 1_000_000; block++) map.add(1 + block * 10, 1 + block * 3)
    expect(map.pairs.length).toBeLessThanOrEqual(2048)
    for (const cursor of [1, 9, 10, 5000, 9_999_990]) {
      const [found, position] = map.find(cursor) ?? [0, 0]
      expect(found).toBeLessThanOrEqual(cursor)
      expect(cursor - found).toBeLessThan(map.distance + 1024)
      expect((found - 1) / 10).toBe((position - 1) / 3)
    }
    expect(map.find(0)).toBeUndefined()
  })
})
