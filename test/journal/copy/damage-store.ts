/**
 * Damages a data directory at one place after the other; checks it, repairs it, and compares what is left with what was
 * written. A process of its own, because LevelDB aborts on some damage. Arguments: base directory, file of its truth,
 * first place, number of places, and `apart` to let yet another process read. Prints one line a place: `same`, `found` with what was lost, `silent`, or `wrong`.
 */
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { repair, verify } from "../../../core/journal/copy/index.ts"
import { openCopied } from "../../../core/journal/copy/open-copied.ts"
import { holdLevel } from "../../../core/journal/level.ts"
import { repairHere, verifyHere } from "./stores.ts"
import { differences, type Truth } from "./world.ts"

const [base = "", truthFile = "", first = "0", places = "0", apart = ""] = process.argv.slice(2)
const truths = (JSON.parse(fs.readFileSync(truthFile, "utf8")) as ReadonlyArray<
  Truth & { readonly revisions: never; readonly positions: never }
>)
  .map((truth): Truth => ({
    ...truth,
    revisions: new Map<string, number>(truth.revisions),
    positions: new Map<string, number>(truth.positions)
  }))
const copy = `${base}-${first}`
const to = `${copy}-repaired`

/** A number below `limit` that follows from the place. */
const pick = (place: number, salt: number, limit: number) =>
  Number(
    (BigInt(place + 1) * 6364136223846793005n * BigInt(salt * 2 + 1) + 1442695040888963407n >> 20n) % BigInt(limit)
  )

const filesOf = (dir: string) =>
  (fs.readdirSync(dir, { recursive: true, encoding: "utf8" })).filter((name) =>
    fs.statSync(join(dir, name)).isFile() && !/LOCK$|LOG$|LOG\.old$/.test(name)
  ).sort()

/** Damages one file; says how. */
const damage = (place: number): string => {
  const files = filesOf(copy)
  const large = files.filter((name) => /\.(log|ldb)$/.test(name) && fs.statSync(join(copy, name)).size > 0)
  const name = (place % 4 === 3 ? files[pick(place, 1, files.length)] : large[pick(place, 1, large.length)]) ?? ""
  const bytes = fs.readFileSync(join(copy, name))
  const at = pick(place, 2, Math.max(1, bytes.length))
  const kind = place % 5
  if (kind === 3) {
    fs.writeFileSync(join(copy, name), bytes.subarray(0, at))
    return `${name} cut at ${at}`
  }
  if (kind === 4) bytes.fill(0, at, Math.min(bytes.length, at + 600))
  else bytes[at] = (bytes[at] ?? 0) ^ (1 << pick(place, 3, 8))
  fs.writeFileSync(join(copy, name), bytes)
  return `${name} ${kind === 4 ? "zeroed" : "flipped"} at ${at}`
}

const one = Effect.fnUntraced(function*(place: number) {
  for (const dir of [copy, to]) fs.rmSync(dir, { recursive: true, force: true })
  fs.cpSync(base, copy, { recursive: true })
  const how = damage(place)
  const before = filesOf(copy).map((name) => fs.readFileSync(join(copy, name)).toString("base64")).join()
  const { findings } = yield* (apart === "apart" ? verify : verifyHere)(copy)
  const repaired = yield* (apart === "apart" ? repair : repairHere)(copy, to)
  const after = filesOf(copy).map((name) => fs.readFileSync(join(copy, name)).toString("base64")).join()
  const wrong: Array<string> = []
  if (after !== before) wrong.push("the damaged directory was changed")
  const clean = yield* verifyHere(to)
  wrong.push(...clean.findings.map((it) => `after the repair ${it.where}: ${it.what}`))
  wrong.push(
    ...(yield* Effect.scoped(
      Effect.flatMap(openCopied(holdLevel(to, undefined)), (store) => differences(store, truths, repaired))
    ))
  )
  const later = yield* verifyHere(to)
  wrong.push(...later.findings.map((it) => `after going on ${it.where}: ${it.what}`))
  const lost = JSON.stringify(repaired.lost)
  if (wrong.length > 0) return `wrong (${how}): ${JSON.stringify(wrong.slice(0, 5))}; lost ${lost}`
  if (findings.length === 0) return repaired.lost.length === 0 ? "same" : `silent (${how}): lost ${lost}`
  return `found (${how}): ${findings.length} findings; lost ${lost}`
})

for (let place = Number(first); place < Number(first) + Number(places); place++) {
  const result = await Effect.runPromise(Effect.result(one(place)))
  const line = result._tag === "Success" ? result.success : `wrong: ${String(result.failure)}`
  fs.writeSync(1, `${line.replaceAll("\n", " ")}\n`)
}
