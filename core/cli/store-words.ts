/**
 * What the commands over a store say for people: findings, losses, counts.
 */
import { type Finding, type Loss, remedyOfMost } from "../journal/copy/index.ts"

/** A finding as one line. What helps against most of them is said once, behind all of them. */
export const findingLine = ({ remedy, what, where }: Finding): string =>
  `${where}: ${what}${remedy === remedyOfMost ? "" : `; ${remedy}`}`

/** What is lost, as one line. */
export const lossText = (loss: Loss): string => {
  switch (loss.type) {
    case "mob":
      return mobText(loss)
    case "aggregate":
      return loss.aggregate === "mob"
        ? `the roster and the list of runs of mob ${loss.mob}: opened, it begins anew, with fences that were given before; `
          + "restore a backup if there is one"
        : `${loss.aggregate} of mob ${loss.mob}, all of its state`
    case "revisions":
      return `${loss.aggregate} of mob ${loss.mob}, revisions ${range(loss.first, loss.last)}; it stands before them`
    case "history":
      return `the history of mob ${loss.mob} before event ${loss.first_cursor}, position ${loss.first_position}`
    case "entries": {
      const known = loss.aggregates.map((it) => `${it.aggregate} revisions ${range(it.first, it.last)}`)
      return `entries ${range(loss.first, loss.last)} of mob ${loss.mob}${
        known.length === 0 ? "" : `, among them ${known.join(", ")}`
      }; what has its newest there stands before them`
    }
    case "records":
      return recordsText(loss)
    case "commits":
      return `group commits ${range(loss.first, loss.last)}; which mobs they were of is not known`
    case "definition":
      return `definition ${loss.digest}`
    case "blob":
      return `blob ${loss.sha256} of mob ${loss.mob}`
    case "secrets":
      return `secrets: ${loss.reason}`
  }
}

const mobText = ({ mob, number }: Extract<Loss, { type: "mob" }>): string => {
  if (mob === undefined) {
    return `mob number ${number}, as nothing says its name; if you know it, repair again with --name ${number}=ID`
  }
  return `mob ${mob}, as its record cannot be read; ${
    number === undefined
      ? `if you know its number, repair again with --name N=${mob}`
      : `to save what else there is of it, repair again with --name ${number}=${mob}`
  }`
}

const recordsText = ({ after, before, of }: Extract<Loss, { type: "records" }>): string => {
  if (of === "everything") {
    return "what nothing else tells of: LevelDB could not open its own files, so ended runs, definitions and whole mobs can "
      + "be missing without another word"
  }
  const place = after === before
    ? after === undefined ? "" : ` at ${after}`
    : `${after === undefined ? "" : ` after ${after}`}${before === undefined ? "" : ` before ${before}`}`
  return `what stood among the ${nouns[of]}${place} and nothing else tells of`
}

const nouns: { readonly [of in Exclude<Extract<Loss, { type: "records" }>["of"], "everything">]: string } = {
  mobs: "records of mobs",
  entries: "entries",
  heads: "states, such as those of ended runs,",
  checkpoints: "checkpoints",
  definitions: "definitions"
}

/** Numbers from the first to the last; `none` if there are none. */
export const range = (first: number, last: number): string =>
  last < first ? "none" : last === first ? String(first) : `${first} to ${last}`

/** A number of things. */
export const count = (number: number, one: string, many = `${one}s`): string => `${number} ${number === 1 ? one : many}`
