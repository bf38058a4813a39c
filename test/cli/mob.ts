/** Runs `mob` from the sources, in this process or in one of its own, and reads what it writes. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Deferred, Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { runCommandLine } from "../../core/cli/commands.ts"
import { endOf } from "../../core/cli/failure.ts"
import { type Signal, Signals } from "../../core/cli/signals.ts"

const main = fileURLToPath(new URL("../../core/cli/main.ts", import.meta.url))

/** Absolute path of a fixture. */
export const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))

/** What a command came to. */
export interface Ended {
  /** 128 + number, as a shell would say, if a signal ended the process. */
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
}

/** A `mob` that runs. Leaving its block ends it. */
export interface Running extends Disposable {
  readonly ended: Promise<Ended>
  /** Waits until stderr or stdout has this text. Rejects if it ends first. */
  readonly seen: (text: string) => Promise<string>
}

/** What is written, and who waits for it. */
class Written {
  stdout = ""
  stderr = ""
  private readonly watchers = new Set<() => void>()

  add(to: "stdout" | "stderr", text: string) {
    this[to] += text
    for (const watcher of this.watchers) watcher()
  }

  seen(text: string, ended: Promise<Ended>) {
    return new Promise<string>((resolve, reject) => {
      const watcher = () => {
        const all = `${this.stdout}\n${this.stderr}`
        if (!all.includes(text)) return
        this.watchers.delete(watcher)
        resolve(all)
      }
      this.watchers.add(watcher)
      watcher()
      void ended.then(({ exit, stderr }) => reject(new Error(`it ended (${exit}) before "${text}": ${stderr}`)))
    })
  }
}

/** Starts `mob ARGS` in this process; `signal` is what a terminal would send. */
export const inProcess = (...args: ReadonlyArray<string>): Running & { readonly signal: (signal: Signal) => void } => {
  const written = new Written()
  const first = Deferred.makeUnsafe<Signal>()
  const line = (to: "stdout" | "stderr") => (...parts: ReadonlyArray<unknown>) =>
    written.add(to, `${parts.join(" ")}\n`)
  const console: Console.Console = { ...globalThis.console, log: line("stdout"), error: line("stderr") }
  let claimed = false
  const controller = new AbortController()
  const ended = Effect.runPromiseExit(
    runCommandLine(args).pipe(
      Effect.provideService(Signals, {
        first: Effect.suspend(() => {
          claimed = true
          return Deferred.await(first)
        })
      }),
      Effect.provideService(Console.Console, console),
      Effect.provide(NodeServices.layer)
    ),
    { signal: controller.signal }
  ).then((exit): Ended => {
    const end = endOf(exit, args.includes("--json"))
    return { exit: end.exit, stdout: written.stdout, stderr: written.stderr + end.text }
  })
  return {
    ended,
    seen: (text) => written.seen(text, ended),
    signal: (signal) => {
      Deferred.doneUnsafe(first, Effect.succeed(signal))
      if (!claimed) controller.abort()
    },
    [Symbol.dispose]: () => controller.abort()
  }
}

/** Starts `mob ARGS` as a process of its own. */
export const start = (
  args: ReadonlyArray<string>,
  env: { readonly [name: string]: string } = {}
): Running & { readonly child: ChildProcess } => {
  const child = spawn(process.execPath, ["--conditions=mobwright-source", "--no-warnings", main, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"]
  })
  const written = new Written()
  child.stdout.on("data", (chunk: Buffer) => written.add("stdout", chunk.toString()))
  child.stderr.on("data", (chunk: Buffer) => written.add("stderr", chunk.toString()))
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code, signal) => {
      resolve({ exit: code ?? (signal === "SIGKILL" ? 137 : 143), stdout: written.stdout, stderr: written.stderr })
    })
  })
  return { child, ended, seen: (text) => written.seen(text, ended), [Symbol.dispose]: () => void child.kill("SIGKILL") }
}

/** Runs `mob ARGS` in this process to its end. */
export const mob = (...args: ReadonlyArray<string>): Promise<Ended> => inProcess(...args).ended

/** A data directory of its own that goes with the test. */
export const dataDir = () => {
  const dir = mkdtempSync(join(tmpdir(), "mob-cli-"))
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) }
}
