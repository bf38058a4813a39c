/**
 * Drives one seat over its stdio, as a host would: a few lines, so that the seats are tested without any runtime.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

/** Folder of the example. */
export const example = fileURLToPath(new URL("../../../examples/repo-audit/", import.meta.url))

/** The two makes of auditor, by name. */
export const makes: { readonly [make: string]: readonly [string, string] } = {
  node: [process.execPath, `${example}seats/auditor.mjs`],
  python: ["python3", `${example}seats/auditor.py`]
}

/** Whether this machine has python3. */
export const hasPython = spawnSync("python3", ["--version"]).status === 0

// What a seat sends is JSON of many shapes; tests look at it with matchers.
type Message = { readonly [key: string]: unknown }

/** A running seat. */
export interface Seat {
  readonly child: ChildProcess
  /** Sends one document, or raw text. */
  readonly send: (message: Message | string) => void
  /** All documents so far, and waits until there are at least `count`. */
  readonly until: (count: number) => Promise<ReadonlyArray<Message>>
  /** Waits for the end of the process; its exit code. */
  readonly ended: Promise<number | null>
}

/** Starts a seat. */
export const startSeat = (make: string): Seat => {
  const [command, script] = makes[make] ?? ["", ""]
  const child = spawn(command, [script], { stdio: ["pipe", "pipe", "inherit"] })
  const messages: Array<Message> = []
  let wake = () => {}
  // Every line of a seat is a JSON object, or the test fails here.
  createInterface({ input: child.stdout }).on("line", (line) => {
    messages.push(JSON.parse(line) as Message)
    wake()
  })
  const ended = new Promise<number | null>((resolve) =>
    child.on("close", (code) => {
      wake()
      resolve(code)
    })
  )
  return {
    child,
    send: (message) =>
      child.stdin.write(
        (typeof message === "string" ? message : JSON.stringify({ jsonrpc: "2.0", ...message })) + "\n"
      ),
    until: async (count) => {
      while (messages.length < count && child.exitCode === null && child.signalCode === null) {
        await new Promise<void>((resolve) => wake = resolve)
      }
      return messages
    },
    ended
  }
}

/** Measures many files in one go: paths are escaped bytes, answers come in their order. */
export const measureAll = async (
  make: string,
  root: string,
  paths: ReadonlyArray<string>
): Promise<ReadonlyArray<unknown>> => {
  const seat = startSeat(make)
  paths.forEach((path, id) =>
    seat.send({
      id,
      method: "deliver",
      params: { inputId: `i${id}`, fence: 1, content: JSON.stringify({ root, path }), memos: {} }
    })
  )
  seat.child.stdin?.end()
  await seat.ended
  const ended = (await seat.until(0)).filter((message) => message["method"] === "turn/ended")
  return ended.map((message) => (message["params"] as Message)["structured"])
}

/** One seat that measures files one after another. */
export const startAsking = (make: string) => {
  const seat = startSeat(make)
  let asked = 0
  return {
    measure: async (root: string, path: string): Promise<unknown> => {
      const inputId = `i${asked++}`
      seat.send({
        id: asked,
        method: "deliver",
        params: { inputId, fence: 1, content: JSON.stringify({ root, path }), memos: {} }
      })
      // An answer and an end for each.
      const ended = (await seat.until(asked * 2))[asked * 2 - 1]
      return (ended?.["params"] as Message | undefined)?.["structured"]
    },
    end: async () => {
      seat.child.stdin?.end()
      await seat.ended
    }
  }
}
