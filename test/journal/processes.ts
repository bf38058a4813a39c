/**
 * Child processes of the journal's tests.
 */
import { Effect } from "effect"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

const start = (script: string, args: ReadonlyArray<string>, errors: "inherit" | "ignore"): ChildProcess =>
  spawn(
    process.execPath,
    ["--conditions=mobwright-source", "--no-warnings", fileURLToPath(new URL(script, import.meta.url)), ...args],
    { stdio: ["ignore", "pipe", errors] }
  )

/** Runs a script of this folder to its end; gives its lines, and its exit code or signal. */
export const run = (script: string, ...args: ReadonlyArray<string>) =>
  Effect.map(child(script, args, "ignore"), async (running) => ({ ended: await running.ended, output: running.lines }))
    .pipe(
      Effect.flatMap((result) => Effect.promise(() => result)),
      Effect.scoped
    )

/** A running script. */
export interface Running {
  readonly pid: number
  /** Whole lines it has printed so far. */
  readonly lines: Array<string>
  /** Its exit code or signal. */
  readonly ended: Promise<string>
  readonly kill: () => void
}

/** Starts a script of this folder; it is killed when the Scope closes. */
export const child = (script: string, args: ReadonlyArray<string>, errors: "inherit" | "ignore" = "inherit") =>
  Effect.acquireRelease(
    Effect.sync((): Running => {
      const started = start(script, args, errors)
      const lines: Array<string> = []
      let rest = ""
      started.stdout?.setEncoding("utf8").on("data", (text: string) => {
        const parts = (rest + text).split("\n")
        rest = parts.pop() ?? ""
        lines.push(...parts)
      })
      const ended = new Promise<string>((resolve) => {
        started.once("close", (code, signal) => resolve(signal ?? String(code)))
      })
      return { pid: started.pid ?? 0, lines, ended, kill: () => started.kill("SIGKILL") }
    }),
    (running) =>
      Effect.promise(() => {
        running.kill()
        return running.ended
      })
  )

/** Sets the soft limit of the size of files that a process may write, in bytes; undefined lifts it. */
export const limitFiles = (pid: number, bytes: number | undefined): void => {
  execFileSync("prlimit", [`--fsize=${bytes ?? "unlimited"}:`, "--pid", String(pid)])
}
