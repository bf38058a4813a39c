// A member in a worker thread: factors whole numbers. "crash" ends the thread, once per process.
import { parentPort } from "node:worker_threads"

const factors = (number) => {
  const found = []
  for (let divisor = 2; divisor * divisor <= number; divisor += 1) {
    while (number % divisor === 0) {
      found.push(divisor)
      number /= divisor
    }
  }
  return number > 1 || found.length === 0 ? [...found, number] : found
}

parentPort.on("message", ({ input, text }) => {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number > 0) {
    parentPort.postMessage({ input, output: `${number} = ${factors(number).join(" * ")}` })
  } else if (text === "crash" && process.env.CRASHED === undefined) {
    process.env.CRASHED = "yes"
    process.exit(1)
  } else {
    parentPort.postMessage({ input, error: `not a positive whole number: ${text}` })
  }
})
