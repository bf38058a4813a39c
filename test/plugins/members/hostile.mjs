// A member of many bad habits, for tests. Its first argument names the habit; it has no dependencies.
import { spawn } from "node:child_process"
import { closeSync, writeSync } from "node:fs"
import { createInterface } from "node:readline"

const habit = process.argv[2]
const say = (message) => writeSync(1, `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
const megabyte = Buffer.alloc(1 << 20, "x")

const flood = (descriptor, megabytes) => {
  for (let written = 0; written < megabytes * megabyte.length;) {
    try {
      written += writeSync(descriptor, megabyte)
    } catch (error) {
      if (error.code !== "EAGAIN") throw error
    }
  }
}

const initialized = () => {
  switch (habit) {
    case "floods-stdout":
      return flood(1, 200)
    case "floods-stderr":
      flood(2, 200)
      return writeSync(2, "\nthe last line\n")
    case "stops-itself":
      return process.kill(process.pid, "SIGSTOP")
    case "closes-output":
      return closeSync(1)
    case "has-a-grandchild":
    case "leaves-a-grandchild": {
      const ignores = `process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); process.send("ready")`
      const stdio = ["ignore", "inherit", "inherit", "ipc"]
      spawn(process.execPath, ["-e", ignores], { stdio }).on("message", () => {
        if (habit === "leaves-a-grandchild") process.exit(0)
        say({ method: "log", params: { line: "ready" } })
      })
    }
  }
}

const delivered = ({ inputId, fence }) => {
  switch (habit) {
    case "exits-in-a-turn":
      return process.exit(0)
    case "prints":
      return writeSync(1, "hello, world\n")
    case "ends-another":
      return say({ method: "turn/ended", params: { inputId: "somebody/else", fence, status: "completed", output: "x" } })
    case "goes-silent":
    case "stops-itself":
      return
    case "makes-slow-progress":
      for (let n = 1; n <= 6; n++) setTimeout(() => say({ method: "turn/progress", params: { inputId, note: `${n}` } }), n * 100)
      return setTimeout(() => say({ method: "turn/ended", params: { inputId, status: "completed", output: "slow" } }), 700)
  }
  say({ method: "turn/ended", params: { inputId, fence, status: "completed", output: "done" } })
}

if (habit === "dies-at-once") {
  writeSync(2, "no licence\nbye\n")
  process.exit(3)
}
if (habit === "prints-first") writeSync(1, "Welcome to member 1.0!\n")
if (habit === "ignores-everything") process.on("SIGTERM", () => {})
if (["ignores-everything", "has-a-grandchild", "closes-output"].includes(habit)) setInterval(() => {}, 1000)

createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line)
  if (habit === "never-answers") return
  switch (method) {
    case "initialize":
      say({ id, result: { protocol: habit === "speaks-9" ? 9 : 1, capabilities: { outcomes: "memory" } } })
      return initialized()
    case "deliver":
      if (habit === "never-answers-deliver" || habit === "closes-output") return
      say({ id, result: { outcome: "accepted" } })
      return delivered(params)
    case "shutdown":
      if (habit === "ignores-everything") return
      say({ id, result: null })
      return process.exit(0)
  }
})
