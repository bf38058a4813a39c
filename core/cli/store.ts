/**
 * The commands over a store as such: `mob store verify|repair|export|import|backup|restore|inspect`, and
 * `mob store secret set|list|remove`.
 */
import { Effect, Schema, type Scope } from "effect"
import { statSync } from "node:fs"
import { resolve } from "node:path"
import { MobId } from "../../sdk/ids.ts"
import {
  backup as backupStore,
  type BackupWritten,
  orNoRoom,
  repair as repairStore,
  restore as restoreStore,
  verify as verifyStore
} from "../journal/copy/index.ts"
import { inspect as inspectStore, type Inspection } from "../journal/index.ts"
import { changeSecrets, readSecrets, SecretName, writeSecret } from "../journal/secrets.ts"
import { type Coded, CommandFailed, ExitCode, failed, failure, usage } from "./failure.ts"
import { liveHost } from "./live.ts"
import { progress, result, resultJson, table } from "./print.ts"
import { count, findingLine, lossText, range } from "./store-words.ts"

/** What every one of these commands takes. */
interface StoreOptions {
  /** Data directory; `.mob` in the working directory when undefined. */
  readonly data: string | undefined
  readonly json: boolean
}

/** `mob store verify`: reads everything and says what is wrong; fails with exit code 1 if anything is. */
export const verify = Effect.fnUntraced(function*(options: StoreOptions) {
  const dir = yield* existing(options.data)
  const { findings, mobs, unfinished } = yield* Effect.mapError(verifyStore(dir), told)
  if (options.json) yield* resultJson({ dir, sound: findings.length === 0, mobs, unfinished, findings })
  else {
    for (const finding of findings) yield* result(findingLine(finding))
    for (const mob of unfinished) {
      yield* progress(`mob ${mob} is half restored or half destroyed; the next opening removes what is there of it`)
    }
    if (findings.length === 0) yield* result(`${dir} is sound: ${count(mobs.length, "mob")}`)
  }
  if (findings.length > 0) {
    return yield* new CommandFailed({
      code: "STORE_UNSOUND",
      text: `${dir} has ${count(findings.length, "finding")}; restore a backup, or save what is intact: `
        + "mob store repair NEW",
      exit: ExitCode.failed
    })
  }
})

/** `mob store repair NEW`: writes what is intact to a new directory; lists what is not, and then ends with exit code 1. */
export const repair = Effect.fnUntraced(function*(
  options: StoreOptions & { readonly to: string; readonly name: { readonly [number: string]: string } }
) {
  const dir = yield* existing(options.data)
  const names = new Map<number, string>()
  for (const [number, name] of Object.entries(options.name)) {
    if (!/^[1-9]\d{0,8}$/.test(number) || !Schema.is(MobId)(name)) {
      return yield* usage(
        "NAME_INVALID",
        `--name takes the number of a mob and its id, such as 3=team; got ${number}=${name}`
      )
    }
    names.set(Number(number), name)
  }
  const repaired = yield* Effect.mapError(repairStore(dir, resolve(options.to), { names }), told)
  const { findings, lost, mobs, to } = repaired
  if (options.json) yield* resultJson(repaired)
  else {
    for (const finding of findings) yield* progress(findingLine(finding))
    for (const loss of lost) yield* result(`lost: ${lossText(loss)}`)
    const rows = mobs.map((it) => [
      it.mob,
      range(it.first_position, it.position),
      range(it.first_cursor, it.cursor),
      String(it.aggregates)
    ])
    if (rows.length > 0) yield* result(table(["MOB", "POSITIONS", "EVENTS", "AGGREGATES"], rows))
    if (lost.length === 0) yield* result(`${to} has everything that ${dir} had`)
  }
  if (lost.length > 0) {
    return yield* new CommandFailed({
      code: "REPAIR_INCOMPLETE",
      text: `${to} has what is intact of ${dir}, which was left as it is; ${count(lost.length, "loss", "losses")}`,
      exit: ExitCode.failed
    })
  }
})

/** `mob store backup FILE`: all mobs, or one, as they stand now, also while a process runs them. */
export const backup = Effect.fnUntraced(function*(
  options: StoreOptions & { readonly file: string; readonly mob: string | undefined; readonly secrets: boolean }
) {
  yield* Effect.scoped(Effect.flatMap(written(options), (done) => tellBackup(options, done)))
})

/** `mob store export FILE`: one mob. */
export const exportMob = Effect.fnUntraced(function*(
  options: StoreOptions & { readonly file: string; readonly mob: string | undefined }
) {
  yield* Effect.scoped(Effect.gen(function*() {
    const mob = options.mob ?? (yield* onlyMob(options.data))
    yield* tellBackup(options, yield* written({ ...options, mob, secrets: false }))
  }))
})

/** `mob store restore FILE`, `mob store import FILE`: all mobs of a backup, into a directory that has none of them. */
export const restore = Effect.fnUntraced(function*(options: StoreOptions & { readonly file: string }) {
  const dir = resolve(options.data ?? ".mob")
  const restored = yield* Effect.mapError(restoreStore(resolve(options.file), dir), told)
  if (options.json) return yield* resultJson({ dir, ...restored })
  for (const name of restored.kept_secrets) yield* progress(`secret ${name} was there already and stayed as it was`)
  yield* result(
    restored.mobs.length === 0
      ? `there is no mob in ${options.file}`
      : `${restored.mobs.join(", ")} restored into ${dir}: ${count(restored.entries, "entry", "entries")}`
  )
})

/** `mob store inspect`: what a data directory holds; fails with exit code 3 if a mob of it cannot be read. */
export const inspect = Effect.fnUntraced(function*(options: StoreOptions) {
  const dir = yield* existing(options.data)
  const found = yield* Effect.scoped(Effect.gen(function*() {
    const host = yield* liveHost(dir)
    if (host !== undefined) {
      return yield* failure(
        "STORE_LOCKED",
        `process ${host.pid} holds ${dir}; look at its mobs with mob ps and mob events, or end it first`
      )
    }
    const inspection = yield* Effect.mapError(inspectStore(dir), told)
    const mobs = yield* Effect.forEach(inspection.mobs, (name) => inspectMob(inspection, name))
    return { dir, seq: inspection.seq ?? null, damage: inspection.damage?.message ?? null, mobs }
  }))
  const damaged = found.mobs.flatMap((it) => "damage" in it ? [it] : [])
  if (options.json) yield* resultJson(found)
  else {
    if (found.damage !== null) yield* progress(`warning: ${found.damage}`)
    for (const { damage, mob } of damaged) yield* progress(`mob ${mob} cannot be read: ${damage}`)
    const rows = found.mobs.flatMap((it) =>
      "damage" in it ? [] : [[it.mob, it.epoch, it.position, it.cursor, it.aggregates, it.live].map(String)]
    )
    yield* result(table(["MOB", "EPOCH", "ENTRIES UP TO", "EVENTS UP TO", "AGGREGATES", "LIVE"], rows))
  }
  if (damaged.length > 0) {
    return yield* failure(
      "STORE_CORRUPTED",
      `${count(damaged.length, "mob")} of ${dir} cannot be read; mob store verify tells what is wrong`
    )
  }
})

/** A mob as it stands, or why it cannot be read. */
const inspectMob = ({ mob }: Inspection, name: MobId) =>
  Effect.gen(function*() {
    const log = yield* mob(name)
    const [aggregates, live] = log === undefined ? [[], []] : [yield* log.aggregates(""), yield* log.live]
    return {
      mob: name,
      epoch: log?.epoch ?? 0,
      position: log?.position ?? 0,
      cursor: log?.latestCursor() ?? 0,
      aggregates: aggregates.length,
      live: live.length
    }
  }).pipe(Effect.catch(({ message }) => Effect.succeed({ mob: name, damage: message })))

/** `mob store secret set NAME`: the value comes from stdin; one line feed at its end is not part of it. */
export const setSecret = Effect.fnUntraced(function*(
  options: StoreOptions & { readonly name: string },
  read: Effect.Effect<string>
) {
  const name = yield* secretName(options.name)
  const dir = resolve(options.data ?? ".mob")
  if (process.stdin.isTTY) yield* progress("type the value, which is shown, then Enter and Ctrl-D")
  const value = (yield* read).replace(/\r?\n$/, "")
  if (value === "") return yield* usage("SECRET_EMPTY", "the value comes from stdin, and there was none")
  // What is no UTF-8 was read as this; a value that has it would not be what was given.
  if (value.includes("\uFFFD")) return yield* usage("SECRET_NOT_TEXT", "the value on stdin is no text in UTF-8")
  yield* Effect.mapError(writeSecret(dir, name, value), told)
  if (options.json) yield* resultJson({ name })
  else yield* progress(`secret ${name} set in ${dir}`)
})

/** `mob store secret list`: names alone. */
export const listSecrets = Effect.fnUntraced(function*(options: StoreOptions) {
  const names = Object.keys(yield* Effect.mapError(readSecrets(yield* existing(options.data)), told)).sort()
  if (options.json) return yield* resultJson(names)
  for (const name of names) yield* result(name)
})

/** `mob store secret remove NAME`. */
export const removeSecret = Effect.fnUntraced(function*(options: StoreOptions & { readonly name: string }) {
  const dir = yield* existing(options.data)
  const name = yield* secretName(options.name)
  const before = yield* Effect.mapError(changeSecrets(dir, ({ [name]: _, ...others }) => others), told)
  if (!Object.hasOwn(before, name)) {
    return yield* usage("SECRET_NOT_FOUND", `there is no secret ${name} in ${dir}`)
  }
  if (options.json) yield* resultJson({ name })
})

const secretName = (name: string) =>
  Schema.is(SecretName)(name)
    ? Effect.succeed(name)
    : Effect.fail(usage("SECRET_NAME_INVALID", `${name} is no name of a secret; use letters, digits and _`))

/** What is asked cannot be done there: bad usage. */
const misplaced = new Set([
  "TARGET_TAKEN",
  "TARGET_UNUSABLE",
  "NAME_UNUSABLE",
  "BACKUP_FILE_UNUSABLE",
  "MOB_NOT_STORED"
])

const told = (error: Coded): CommandFailed => {
  // Nothing of these commands goes on by itself once there is room.
  const { code, message } = error instanceof Error ? orNoRoom("the data directory")(error) : error
  if (misplaced.has(code)) return usage(code, message)
  return failure(code, code === "STORE_LOCKED" ? `${message}; a backup can be made while it is held` : message)
}

/** The data directory, which must be there. */
const existing = (data: string | undefined): Effect.Effect<string, CommandFailed> => {
  const dir = resolve(data ?? ".mob")
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() === true) return Effect.succeed(dir)
  const hint = data === undefined ? "go to where the mob runs, or say --data DIR" : "check --data"
  return Effect.fail(usage("DATA_NOT_FOUND", `there is no data directory ${dir}; ${hint}`))
}

/** A backup written by the process that holds the directory, if one does, else by this one. */
const written = (
  options: StoreOptions & { readonly file: string; readonly mob: string | undefined; readonly secrets: boolean }
): Effect.Effect<BackupWritten, CommandFailed, Scope.Scope> =>
  Effect.gen(function*() {
    const dir = yield* existing(options.data)
    const file = resolve(options.file)
    const { mob, secrets } = options
    const byHost = Effect.map(
      liveHost(dir),
      (host) => host?.backup({ file, secrets, ...(mob === undefined ? {} : { mob }) })
    )
    const hosted = yield* byHost
    if (hosted !== undefined) return yield* Effect.mapError(hosted, told)
    // A name that is no mob's is not stored either.
    const mobs = mob === undefined ? {} : { mobs: [mob as MobId] }
    return yield* backupStore(dir, file, { includeSecrets: secrets, ...mobs }).pipe(
      Effect.mapError(told),
      Effect.catch((error) =>
        // A host took the lock between the look and the reading.
        error.code === "STORE_LOCKED"
          ? Effect.flatMap(byHost, (hosted) => hosted ?? Effect.fail(error))
          : Effect.fail(error)
      )
    )
  })

const tellBackup = Effect.fnUntraced(function*(options: StoreOptions, done: BackupWritten) {
  if (options.json) return yield* resultJson(done)
  for (const { cursor, mob, position } of done.mobs) {
    yield* progress(`${mob}: entries up to ${position}, events up to ${cursor}`)
  }
  yield* result(
    `${done.file}: ${count(done.mobs.length, "mob")}, ${count(done.entries, "entry", "entries")}, ${done.bytes} bytes`
  )
})

/** The only mob of a directory, whoever holds it. */
const onlyMob = Effect.fnUntraced(function*(data: string | undefined) {
  const dir = yield* existing(data)
  const host = yield* liveHost(dir)
  const mobs: ReadonlyArray<string> = host === undefined
    ? (yield* Effect.mapError(Effect.scoped(Effect.map(inspectStore(dir), (it) => it.mobs)), failed))
    : yield* host.stored
  const [only] = mobs
  if (only !== undefined && mobs.length === 1) return only
  return yield* usage(
    "MOB_AMBIGUOUS",
    only === undefined ? `no mob in ${dir}` : `which mob? Say --mob ID; there are ${mobs.join(", ")}`
  )
})
