/**
 * Keys and secrets of a data directory: a file beside the store that nobody but its owner may read. They never stand in
 * the log, in events, or in a backup that did not ask for them.
 */
import { Effect, Schema } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { reasonOf } from "./attempt.ts"
import { DataFolderUnusable } from "./errors.ts"
import { exclusive } from "./exclusive.ts"
import { codeOf, makeFolder, replaceFile } from "./files.ts"

/** The file of secrets can be read by others, or is no such file. Nothing was read from it and nothing written. */
export class SecretsUnsafe extends Schema.TaggedError<SecretsUnsafe>()("SecretsUnsafe", {
  file: Schema.String,
  reason: Schema.String
}) {
  /** Stable code of this error. */
  readonly code = "SECRETS_UNSAFE"
  override get message() {
    return `the secrets in ${this.file} are not used: ${this.reason}`
  }
}

/** Another process changes the secrets, and did not end in time. Nothing was written. */
export class SecretsBusy extends Schema.TaggedError<SecretsBusy>()("SecretsBusy", { file: Schema.String }) {
  /** Stable code of this error. */
  readonly code = "SECRETS_BUSY"
  override get message() {
    return `another process changes the secrets in ${this.file} and does not end; nothing was written; try again`
  }
}

const name = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/

/** A name a secret may have: what an environment variable may be called. */
export const SecretName = Schema.String.check(Schema.isPattern(name))

/** Secrets by name. Ask with `Object.hasOwn`, or of what `readSecrets` gives: `constructor` is a name like others. */
export type Secrets = Readonly<Record<string, string>>

/** Secrets as they were parsed. A record of Schema would lose `__proto__`. */
export const Secrets = Schema.declare((value: unknown): value is Secrets =>
  typeof value === "object" && value !== null && !Array.isArray(value)
  && Object.entries(value).every(([key, secret]) => name.test(key) && typeof secret === "string")
)

const File = Schema.fromJsonString(Schema.Struct({ v: Schema.Literal(1), secrets: Secrets }))
const decode = Schema.decodeUnknownEffect(File)
const encode = Schema.encodeSync(File)

/** Name of the file in a data directory. */
export const secretsFile = "secrets.json"

/** What a look at the secrets can fail with. */
export type SecretsReadError = SecretsUnsafe | DataFolderUnusable

/** What a change of the secrets can fail with. */
export type SecretsError = SecretsReadError | SecretsBusy

/** All secrets of a data directory, by name; none if there is no file. Read anew each time: a file of a few lines. */
export const readSecrets = Effect.fn("Secrets.read")(
  function*(dir: string): Effect.fn.Return<Secrets, SecretsReadError> {
    const file = join(dir, secretsFile)
    const unsafe = (reason: string) => new SecretsUnsafe({ file, reason })
    const text = yield* Effect.try({
      try: () => {
        // One descriptor for both: what is looked at is what is read.
        const descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW)
        try {
          const { mode } = fs.fstatSync(descriptor)
          return { open: (mode & 0o077) !== 0, mode, text: fs.readFileSync(descriptor, "utf8") }
        } finally {
          fs.closeSync(descriptor)
        }
      },
      catch: (error) => error
    }).pipe(
      Effect.catch((error) => codeOf(error) === "ENOENT" ? Effect.undefined : Effect.fail(unusable(dir)(error)))
    )
    if (text === undefined) return bare({})
    if (text.open) {
      const mode = (text.mode & 0o777).toString(8)
      return yield* unsafe(`others may read it (mode ${mode}); run chmod 600 on it, and change what it held`)
    }
    const { secrets } = yield* Effect.mapError(
      decode(text.text),
      () => unsafe("it is no file of secrets; move it away and set them again")
    )
    return bare(secrets)
  }
)

/** Sets a secret; `undefined` removes it. All of the new file is there or all of the old one. */
export const writeSecret = (
  dir: string,
  name: string,
  value: string | undefined
): Effect.Effect<void, SecretsError> =>
  Effect.asVoid(
    changeSecrets(dir, ({ [name]: _, ...others }) => value === undefined ? others : { ...others, [name]: value })
  )

/**
 * Changes the secrets, one process at a time, and gives those that were there before. Makes the directory if need be.
 */
export const changeSecrets = Effect.fn("Secrets.change")(
  function*(dir: string, change: (secrets: Secrets) => Secrets): Effect.fn.Return<Secrets, SecretsError> {
    const file = join(dir, secretsFile)
    const draft = `${file}.new`
    const write = (secrets: Secrets) =>
      Effect.try({
        try: () => replaceFile(file, draft, `${encode({ v: 1, secrets })}\n`),
        catch: unusable(dir)
      })
    yield* Effect.try({ try: () => makeFolder(dir), catch: unusable(dir) })
    return yield* exclusive(
      file,
      Effect.uninterruptible(Effect.gen(function*() {
        // Of a process that was killed: what it holds may be removed by now.
        yield* Effect.try({ try: () => fs.rmSync(draft, { force: true }), catch: unusable(dir) })
        const before = yield* readSecrets(dir)
        const after = change(before)
        if (!isSame(before, after)) yield* write(after)
        return before
      })),
      { busy: () => new SecretsBusy({ file }), failed: unusable(dir) }
    )
  }
)

/** Without anything that objects have of themselves. */
const bare = (secrets: Secrets): Secrets => Object.assign(Object.create(null), secrets)

const isSame = (a: Secrets, b: Secrets): boolean =>
  Object.keys(a).length === Object.keys(b).length
  && Object.entries(a).every(([name, value]) => Object.hasOwn(b, name) && b[name] === value)

const unusable = (dir: string) => (error: unknown) => new DataFolderUnusable({ dir, reason: reasonOf(error) })
