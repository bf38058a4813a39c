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
  type Finding,
  type Loss,
  repairApart,
  restore as restoreStore,
  verifyApart
} from "../journal/copy/index.ts"
import { inspect as inspectStore } from "../journal/index.ts"
import { readSecrets, SecretName, writeSecret } from "../journal/secrets.ts"
import { type Coded, CommandFailed, ExitCode, failed, failure, usage } from "./failure.ts"
import { liveHost } from "./live.ts"
import { progress, result, resultJson, table } from "./print.ts"

/** What every one of these commands takes. */
interface StoreOptions {
  /** Data directory; `.mob` in the working directory when undefined. */
  readonly data: string | undefined
  readonly json: boolean
}

/** `mob store verify`: reads everything and says what is wrong; fails with exit code 1 if anything is. */
export const verify = Effect.fnUntraced(function*(options: StoreOptions) {
  const dir = yield* existing(options.data)
  const { findings, mobs } = yield* Effect.mapError(verifyApart(dir), told)
  if (options.json) yield* resultJson({ dir, sound: findings.length === 0, mobs, findings })
  else {
    for (const finding of findings) yield* result(findingLine(finding))
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

/** `mob store repair NEW`: writes what is intact to a new directory, and lists what is not. */
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
  const repaired = yield* Effect.mapError(repairApart(dir, resolve(options.to), { names }), told)
  if (options.json) return yield* resultJson(repaired)
  for (const finding of repaired.findings) yield* progress(findingLine(finding))
  for (const loss of repaired.lost) yield* result(`lost: ${lossText(loss)}`)
  const rows = repaired.mobs.map((it) => [
    it.mob,
    range(it.first_position, it.position),
    range(it.first_cursor, it.cursor),
    String(it.aggregates)
  ])
  if (rows.length > 0) yield* result(table(["MOB", "POSITIONS", "EVENTS", "AGGREGATES"], rows))
  yield* result(
    repaired.lost.length === 0
      ? `${repaired.to} has everything that ${dir} had`
      : `${repaired.to} has what is intact of ${dir}; ${dir} was left as it is`
  )
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
  yield* result(`${restored.mobs.join(", ")} restored into ${dir}: ${count(restored.entries, "entry", "entries")}`)
})

/** `mob store inspect`: what a data directory holds. */
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
    const { damage, mob, mobs, seq } = yield* inspectStore(dir)
    const each = yield* Effect.forEach(mobs, (name) =>
      Effect.gen(function*() {
        const log = yield* mob(name)
        if (log === undefined) return []
        const [aggregates, live] = [yield* log.aggregates(""), yield* log.live]
        return [{
          mob: name,
          epoch: log.epoch,
          position: log.position,
          cursor: log.latestCursor(),
          aggregates: aggregates.length,
          live: live.length
        }]
      }))
    return { dir, seq: seq ?? null, damage: damage?.message ?? null, mobs: each.flat() }
  })).pipe(Effect.mapError(failed))
  if (options.json) return yield* resultJson(found)
  if (found.damage !== null) yield* progress(`warning: ${found.damage}`)
  const rows = found.mobs.map((it) => [it.mob, it.epoch, it.position, it.cursor, it.aggregates, it.live].map(String))
  yield* result(table(["MOB", "EPOCH", "ENTRIES UP TO", "EVENTS UP TO", "AGGREGATES", "LIVE"], rows))
})

/** `mob store secret set NAME`: the value comes from stdin; one line feed at its end is not part of it. */
export const setSecret = Effect.fnUntraced(function*(
  options: StoreOptions & { readonly name: string },
  read: Effect.Effect<string>
) {
  const name = yield* secretName(options.name)
  const value = (yield* read).replace(/\r?\n$/, "")
  if (value === "") return yield* usage("SECRET_EMPTY", "the value comes from stdin, and there was none")
  yield* Effect.mapError(writeSecret(resolve(options.data ?? ".mob"), name, value), failed)
  if (options.json) yield* resultJson({ name })
})

/** `mob store secret list`: names alone. */
export const listSecrets = Effect.fnUntraced(function*(options: StoreOptions) {
  const names = Object.keys(yield* Effect.mapError(readSecrets(yield* existing(options.data)), failed)).sort()
  if (options.json) return yield* resultJson(names)
  for (const name of names) yield* result(name)
})

/** `mob store secret remove NAME`. */
export const removeSecret = Effect.fnUntraced(function*(options: StoreOptions & { readonly name: string }) {
  const dir = yield* existing(options.data)
  const name = yield* secretName(options.name)
  if (!Object.hasOwn(yield* Effect.mapError(readSecrets(dir), failed), name)) {
    return yield* usage("SECRET_NOT_FOUND", `there is no secret ${name} in ${dir}`)
  }
  yield* Effect.mapError(writeSecret(dir, name, undefined), failed)
  if (options.json) yield* resultJson({ name })
})

const secretName = (name: string) =>
  Schema.is(SecretName)(name)
    ? Effect.succeed(name)
    : Effect.fail(usage("SECRET_NAME_INVALID", `${name} is no name of a secret; use letters, digits and _`))

/** What is asked cannot be done there: bad usage. */
const misplaced = new Set(["TARGET_TAKEN", "BACKUP_FILE_UNUSABLE", "MOB_NOT_STORED"])

const told = (error: Coded): CommandFailed =>
  misplaced.has(error.code) ? usage(error.code, error.message) : failed(error)

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
  const mobs: ReadonlyArray<string> = host?.mobs
    ?? (yield* Effect.mapError(Effect.scoped(Effect.map(inspectStore(dir), (it) => it.mobs)), failed))
  const [only] = mobs
  if (only !== undefined && mobs.length === 1) return only
  return yield* usage(
    "MOB_AMBIGUOUS",
    only === undefined ? `no mob in ${dir}` : `which mob? Say --mob ID; there are ${mobs.join(", ")}`
  )
})

const findingLine = ({ remedy, what, where }: Finding) => `${where}: ${what}; ${remedy}`

const lossText = (loss: Loss): string => {
  switch (loss.type) {
    case "mob":
      return loss.mob === undefined
        ? `mob number ${loss.number}, as nothing says its name; if you know it, repair again with --name ${loss.number}=ID`
        : `mob ${loss.mob}, as its record cannot be read; if you know its number, repair again with --name N=${loss.mob}`
    case "aggregate":
      return `${loss.aggregate} of mob ${loss.mob}, all of its state`
    case "revisions":
      return `${loss.aggregate} of mob ${loss.mob}, revisions ${loss.first} to ${loss.last}; it stands before them`
    case "history":
      return `the history of mob ${loss.mob} before event ${loss.first_cursor}, position ${loss.first_position}`
    case "entries":
      return `entries ${loss.first} to ${loss.last} of mob ${loss.mob}; aggregates whose newest they were stand before them`
    case "records":
      return "records of which nothing tells: mobs, ended runs and definitions can be missing without another word"
    case "commits":
      return `group commits ${loss.first} to ${loss.last}; which mobs they were of is not known`
    case "definition":
      return `definition ${loss.digest}`
    case "blob":
      return `blob ${loss.sha256} of mob ${loss.mob}`
    case "secrets":
      return `secrets: ${loss.reason}`
  }
}

const range = (first: number, last: number) => last < first ? "none" : `${first} to ${last}`

const count = (number: number, one: string, many = `${one}s`) => `${number} ${number === 1 ? one : many}`
