/**
 * The process that reads a store which may be damaged, as seen from the one that asks.
 */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { extname } from "node:path"
import { fileURLToPath } from "node:url"
import { reasonOf } from "../attempt.ts"
import { type Answer, type Question, writeQuestion } from "./answer.ts"
import { ReaderEnded } from "./errors.ts"

/** What LevelDB's checks and its stray reads end a process with. Others come from outside. */
const ofLevel: ReadonlySet<string> = new Set(["SIGABRT", "SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE"])

type Asked = Answer | { readonly type: "ended"; readonly signal: string }

/** The answer, or the signal by which LevelDB ended the process. The process is gone when this ends. */
export const ask = (question: Question): Effect.Effect<Asked, ReaderEnded> =>
  Effect.acquireUseRelease(
    Effect.sync(() => start(question)),
    ({ closed }) =>
      Effect.flatMap(
        Effect.promise(() => closed),
        ({ code, errors, out, signal }): Effect.Effect<Asked, ReaderEnded> => {
          const failed = (reason: string) => Effect.fail(new ReaderEnded({ dir: question.dir, reason }))
          // V8 too aborts when it has no memory left.
          if (signal !== null && /out of memory/i.test(errors) || signal === "SIGKILL") {
            return failed(
              `${signal}, for want of memory as it seems; give it more: NODE_OPTIONS=--max-old-space-size=8000`
            )
          }
          if (signal !== null && ofLevel.has(signal)) return Effect.succeed({ type: "ended", signal })
          if (signal !== null || code !== 0) {
            return failed(
              `${signal ?? `exit code ${code}`}: ${errors.trim().slice(-500)}`
            )
          }
          return Effect.succeed(JSON.parse(named(question, out)) as Answer) // Our own program wrote it.
        }
      ),
    ({ child, closed }) =>
      Effect.promise(() => {
        child.kill("SIGKILL")
        return closed
      })
  )

/** Words about the draft are about what it will be. */
const named = ({ salvage }: Question, text: string): string =>
  salvage === null ? text : text.replaceAll(inJson(salvage.draft), inJson(salvage.to))

const inJson = (path: string): string => JSON.stringify(path).slice(1, -1)

const start = (question: Question) => {
  const script = fileURLToPath(new URL(`./child${extname(import.meta.url)}`, import.meta.url))
  const child = spawn(process.execPath, ["--no-warnings", script, writeQuestion(question)], {
    // It ends when its stdin does, and so with this process, however that ends.
    stdio: ["pipe", "pipe", "pipe"]
  })
  const out: Array<Buffer> = []
  const errors: Array<Buffer> = []
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk))
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk))
  const closed = new Promise<{
    readonly code: number | null
    readonly signal: string | null
    readonly out: string
    readonly errors: string
  }>((resolve) => {
    const text = (chunks: ReadonlyArray<Buffer>) => Buffer.concat(chunks).toString()
    child.once("error", (error) => resolve({ code: null, signal: null, out: "", errors: reasonOf(error) }))
    child.once("close", (code, signal) => resolve({ code, signal, out: text(out), errors: text(errors) }))
  })
  return { child, closed }
}
