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

  /** A node under which children of a cell hang. */
  addNode(parent: NactRef<never>, name: string): NactRef<never> {
    return spawn(parent, silent, name, kids) as NactRef<never> // as above
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

/** Children of one silent node, where they are many. */
const PARTITION = 1_024

/**
 * The silent nodes under which the children of one cell hang. One, and under a dynamic supervisor one for each so many
 * children: nact copies the whole map of an actor's children where it makes a context, and here that stays small.
 */
export class SilentNodes {
  private readonly tree: NactTree
  private readonly parent: NactRef<never>
  private readonly partitioned: boolean
  /** How many hang under each. */
  private readonly counts = new Map<NactRef<never>, number>()
  private newest: NactRef<never> | undefined = undefined
  private made = 0

  constructor(tree: NactTree, parent: NactRef<never>, partitioned: boolean) {
    this.tree = tree
    this.parent = parent
    this.partitioned = partitioned
  }

  /** Where the next child hangs. */
  enter(): NactRef<never> {
    let node = this.newest
    const count = node === undefined ? 0 : this.counts.get(node) ?? 0
    if (node === undefined || (this.partitioned && count >= PARTITION)) {
      this.made++
      node = this.newest = this.tree.addNode(this.parent, this.made === 1 ? "k" : `k${this.made}`)
      this.counts.set(node, 1)
    } else this.counts.set(node, count + 1)
    return node
  }

  /** A child under `node` is out of the tree. */
  left(node: NactRef<never>): void {
    const count = (this.counts.get(node) ?? 1) - 1
    if (count > 0 || node === this.newest) {
      this.counts.set(node, count)
      return
    }
    this.counts.delete(node)
    this.tree.remove(node)
  }

  /** Takes all of them out; what hung under them is out already. */
  remove(): void {
    for (const node of this.counts.keys()) this.tree.remove(node)
    this.counts.clear()
    this.newest = undefined
  }
}

/** `/c3/k/c17`. */
export const pathOf = (ref: NactRef<never>): string => {
  const { path } = ref as unknown as NactPath // nact's types hide the path that its code gives every reference
  return `/${path.parts.join("/")}`
}
