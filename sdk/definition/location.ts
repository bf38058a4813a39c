/** Places in an author's file, as people write them: `flows.main.steps.scan.role`, `topology.rules[0].from_role`. */

/** Joins keys and indexes to one place. A key that would be misread is quoted. */
export const place = (...segments: ReadonlyArray<string | number>): string =>
  segments.map((segment, index) => {
    if (typeof segment === "number") return `[${segment}]`
    const key = /^[^\s."'[\]]+$/.test(segment) ? segment : JSON.stringify(segment)
    return index === 0 ? key : `.${key}`
  }).join("")
