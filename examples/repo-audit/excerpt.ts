/**
 * Reads the lines of a place again, for people to look at. An adapter. Whatever goes wrong, it answers fewer lines.
 */
import { closeSync, constants, openSync, readFileSync } from "node:fs"
import { unescapeBytes } from "./bytes.ts"

/** Lines and characters a line that are shown. */
const LINES = 60
const CHARACTERS = 200

/** Lines `first` to `last`, from 1, of a file of the tree; paths are escaped bytes. Never follows a link. */
export const excerpt = (root: string, path: string, first: number, last: number): ReadonlyArray<string> => {
  let descriptor: number | undefined
  try {
    descriptor = openSync(
      unescapeBytes(`${root}/${path}`),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    )
    const lines = readFileSync(descriptor).toString("latin1").split("\n")
    return lines.slice(first - 1, Math.min(last, first - 1 + LINES)).map((line) => {
      const text = Buffer.from(line.replace(/\r$/, ""), "latin1").toString("utf8").replaceAll("\t", "    ")
      return [...text].slice(0, CHARACTERS).join("").replace(/\p{C}/gu, "\ufffd")
    })
  } catch {
    return []
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}
