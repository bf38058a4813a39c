/**
 * Draws a timeline as inline SVG. Colours come from the classes of the page around it. A pure function.
 */
import type { Lane, Timeline, Turn } from "./timeline.ts"

const LABEL = 150
const WIDTH = 850
const ROW = 28

/** A length of time for people: milliseconds below a second, else seconds with one decimal. */
export const seconds = (millis: number): string =>
  millis < 1000 ? `${Math.round(millis)} ms` : `${(millis / 1000).toFixed(1)} s`

/** Bars closer than half a pixel are one, so that the page stays small however many turns there were. */
const bars = (turns: ReadonlyArray<Turn>, x: (moment: number) => number): ReadonlyArray<readonly [number, number]> => {
  const drawn: Array<[number, number]> = []
  for (const turn of [...turns].sort((a, b) => a.start - b.start)) {
    const from = x(turn.start)
    const to = Math.max(x(turn.end), from + 1)
    const last = drawn.at(-1)
    if (last !== undefined && from <= last[1] + 0.5) last[1] = Math.max(last[1], to)
    else drawn.push([from, to])
  }
  return drawn
}

/** The picture: a row a member, its turns as bars, crashes and restarts as marks. `text` makes text safe for markup. */
export const drawTimeline = ({ lanes, span }: Timeline, text: (raw: string) => string): string => {
  const x = (moment: number) => LABEL + (span === 0 ? 0 : Math.min(1, Math.max(0, moment / span))) * WIDTH
  const n = (value: number) => String(Math.round(value * 10) / 10)
  const height = lanes.length * ROW + 24
  const row = (lane: Lane, index: number): string => {
    const top = index * ROW
    const middle = top + ROW / 2
    return [
      `<text x="0" y="${middle + 4}">${text(lane.identity)}</text>`,
      `<line class="grid" x1="${LABEL}" x2="${LABEL + WIDTH}" y1="${middle}" y2="${middle}"/>`,
      ...bars(lane.turns, x).map(([from, to]) =>
        `<rect class="turn" x="${n(from)}" y="${top + 8}" width="${n(to - from)}" height="12" rx="1"/>`
      ),
      ...lane.restarts.map((moment) => {
        const at = x(moment)
        const points = `${n(at - 4)},${top + 26} ${n(at + 4)},${top + 26} ${n(at)},${top + 19}`
        return `<polygon class="again" points="${points}"><title>restarted at ${seconds(moment)}</title></polygon>`
      }),
      ...lane.crashes.map((moment) => {
        const at = x(moment)
        const cross = `M${n(at - 5)} ${top + 5}l10 10m0 -10l-10 10`
        return `<path class="died" d="${cross}"><title>crashed at ${seconds(moment)}</title></path>`
      })
    ].join("")
  }
  const axis = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const anchor = share === 0 ? "start" : share === 1 ? "end" : "middle"
    return `<text class="axis" text-anchor="${anchor}" x="${n(x(share * span))}" y="${height - 6}">${
      seconds(share * span)
    }</text>`
  })
  return `<svg viewBox="0 0 ${LABEL + WIDTH} ${height}" role="img" aria-label="timeline of the run">${
    span === 0 ? "" : axis.join("")
  }${lanes.map(row).join("")}</svg>`
}
