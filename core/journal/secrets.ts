/**
 * Keys and secrets of a data directory: a file beside the store that nobody but its owner may read. They never stand in
 * the log, in events, or in a backup that did not ask for them.
 */
import { Effect, Schema } from "effect"
import * as fs from "node:fs"
import { dirname, join } from "node:path"
import { reasonOf } from "./attempt.ts"
import { DataFolderUnusable } from "./errors.ts"

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

const name = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/

/** A name a secret may have: what an environment variable may be called. */
export const SecretName = Schema.String.check(Schema.isPattern(name))

// A record with such keys would leave others out without a word.
const Secrets = Schema.Record(Schema.String, Schema.String).check(
  Schema.makeFilter((secrets) => Object.keys(secrets).every((key) => name.test(key)))
)

const File = Schema.fromJsonString(Schema.Struct({ v: Schema.Literal(1), secrets: Secrets }))
const decode = Schema.decodeUnknownEffect(File)
const encode = Schema.encodeSync(File)

/** Name of the file in a data directory. */
export const secretsFile = "secrets.json"

/** What a change of the secrets, or a look at them, can fail with. */
export type SecretsError = SecretsUnsafe | DataFolderUnusable

/** All secrets of a data directory, by name; none if there is no file. Read anew each time: a file of a few lines. */
export const readSecrets = Effect.fn("Secrets.read")(
  function*(dir: string): Effect.fn.Return<Readonly<Record<string, string>>, SecretsError> {
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
      Effect.catch((error) =>
        isMissing(error) ? Effect.undefined : Effect.fail(new DataFolderUnusable({ dir, reason: reasonOf(error) }))
      )
    )
    if (text === undefined) return {}
    if (text.open) {
      const mode = (text.mode & 0o777).toString(8)
      return yield* unsafe(`others may read it (mode ${mode}); run chmod 600 on it, and change what it held`)
    }
    const { secrets } = yield* Effect.mapError(
      decode(text.text),
      () => unsafe("it is no file of secrets; move it away and set them again")
    )
    return secrets
  }
)

/** Sets a secret; `undefined` removes it. All of the new file is there or all of the old one. */
export const writeSecret = Effect.fn("Secrets.write")(
  function*(dir: string, name: string, value: string | undefined): Effect.fn.Return<void, SecretsError> {
    const { [name]: _, ...others } = yield* readSecrets(dir)
    yield* writeSecrets(dir, value === undefined ? others : { ...others, [name]: value })
  },
  Effect.uninterruptible
)

/** Replaces all secrets. */
export const writeSecrets = (
  dir: string,
  secrets: Readonly<Record<string, string>>
): Effect.Effect<void, DataFolderUnusable> =>
  Effect.try({
    try: () => {
      fs.mkdirSync(dir, { recursive: true, mode: 0o700 })
      const file = join(dir, secretsFile)
      const draft = `${file}.${process.pid}`
      fs.rmSync(draft, { force: true })
      try {
        // Writes all of it or throws, as `writeSync` would not on a disk that is nearly full.
        fs.writeFileSync(draft, `${encode({ v: 1, secrets })}\n`, { flag: "wx", mode: 0o600, flush: true })
        fs.renameSync(draft, file)
      } catch (error) {
        fs.rmSync(draft, { force: true })
        throw error
      }
      syncFolder(dirname(file))
    },
    catch: (error) => new DataFolderUnusable({ dir, reason: reasonOf(error) })
  })

const syncFolder = (dir: string): void => {
  const descriptor = fs.openSync(dir, fs.constants.O_RDONLY)
  try {
    fs.fsyncSync(descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT"
