/**
 * nact below: every cell is a nact actor. nact owns names, paths and the tree; messages between cells do not travel
 * through it, but what a nact program dispatches to a cell's reference enters the cell's mailbox.
 *
 * Its traps, and what is done about them: a system without a name draws a random one, so we give one; it refuses most
 * characters in names, so names are ordinals; stopping a parent leaves its children running, so each is stopped by
 * itself; it copies a parent's map of children for every message, so children hang under a silent node of their own;
 * `shutdownAfter` would arm a process timer, so it is never given.
 */
import { type Ref, spawn, start, stop } from "nact"

/** What a nact program dispatches to. */
export type NactRef<M> = Ref<M>

/** What nact hands messages to. */
interface Receiver {
  readonly tellUnsafe: (message: unknown) => boolean
}

interface NactPath {
  readonly path: { readonly parts: ReadonlyArray<string> }
}

/** The one function of all cells: nact's state is the cell itself. Never throws, never waits. */
const receive = (cell: Receiver, message: unknown): Receiver => {
  cell.tellUnsafe(message)
  return cell
}

const silent = (): undefined => undefined

/** nact's last line. Nothing of ours throws into nact; a fault in nact itself must not end a cell behind our back. */
const onCrash = (_message: unknown, _error: unknown, context: { readonly resume: symbol }) => context.resume

const properties = (cell: Receiver) => ({ initialState: cell, onCrash }) as object // nact's types want `Symbol`, not `symbol`

const kids = { onCrash } as object // as above

/** nact systems of this process must differ in name. */
let systems = 0

/** One nact system. */
export class NactTree {
  /** Under which the root cells hang. */
  readonly root: NactRef<never>
  private ordinal = 0

  constructor() {
    const name = `mobwright-${++systems}`
    // nact's types say a string; its code reads the name from an object only.
    this.root = start({ name } as unknown as string)
  }

  /** Hangs a cell under `parent`. Throws if that has stopped. */
  add(parent: NactRef<never>, cell: Receiver): NactRef<never> {
    return spawn(parent, receive as () => Receiver, `c${++this.ordinal}`, properties(cell)) as NactRef<never> // no type speaks of nact's messages
  }

  /** The silent node under which the children of a cell hang. */
  addNode(parent: NactRef<never>): NactRef<never> {
    return spawn(parent, silent, "k", kids) as NactRef<never> // as above
  }

  /** Takes one actor, not its children, out of the tree. Harmless if it is out. */
  remove(ref: NactRef<never>): void {
    stop(ref)
  }

  /** Ends the system; its actors must have been removed. */
  close(): void {
    stop(this.root)
  }
}

/** `/c3/k/c17`. */
export const pathOf = (ref: NactRef<never>): string => {
  const { path } = ref as unknown as NactPath // nact's types hide the path that its code gives every reference
  return `/${path.parts.join("/")}`
}
