/**
 * nact below: every cell is a nact actor. nact owns names, paths and the tree; messages between cells do not travel
 * through it, but what a nact program dispatches to a cell's reference enters the cell's mailbox.
 *
 * Its traps, and what is done about them: a system without a name draws a random one, so we give one; it refuses most
 * characters in names, so names are ordinals; stopping a parent leaves its children running, so each is stopped by
 * itself, and so are the guests, which nact programs hang below cells; what is on its way to an actor that stops is lost,
 * so we hand it over all the same, and it is a dead letter; it copies a parent's map of children for every message, so
 * children hang under a silent node of their own; `shutdownAfter` would arm a process timer, so it is never given.
 */
import { type ActorPath, type Ref, spawn, start, stop } from "nact"

/** What a nact program dispatches to. */
export type NactRef<M> = Ref<M>

/** What nact tells of; a cell. */
interface Receiver {
  /** A nact program dispatched a message. */
  readonly dispatched: (message: unknown, sender: unknown) => void
  /** An actor that hangs below it, and that nact made, escalates. */
  readonly escalated: (error: unknown) => void
  /** It is not in the tree any more: it was removed, or a nact program has stopped it. */
  readonly removed: () => void
}

/** What nact's code gives every reference; its types hide it. */
interface NactReference {
  readonly path: ActorPath
  /** None above the system. */
  readonly parent?: NactRef<never>
}

/** nact's own side of an actor. */
interface NactActor {
  readonly reference: NactRef<never>
  readonly children: ReadonlyMap<string, NactActor>
  readonly f: unknown
  /** The cell, if it is the actor of one. */
  readonly state: Receiver
  /** Its message that is on its way. */
  immediate: unknown
  onCrash: unknown
  readonly stop: () => void
}

/** nact's own side of a system, which it shows to plugins. */
interface NactSystem {
  readonly children: ReadonlyMap<string, NactActor>
  readonly find: (ref: NactRef<never>) => NactActor | undefined
}

interface Posted {
  readonly message: unknown
  readonly sender: unknown
}

/** The one function of all cells: nact's state is the cell itself. Never throws, never waits. */
const receive = (cell: Receiver, message: unknown, { sender }: { readonly sender: unknown }): Receiver => {
  cell.dispatched(message, sender)
  return cell
}

/** What had not been handed over yet comes too late, and is a dead letter. */
const afterStop = (cell: Receiver, { mailbox }: { readonly mailbox: ReadonlyArray<Posted> }): void => {
  cell.removed()
  for (const { message, sender } of mailbox) cell.dispatched(message, sender)
}

const silent = (): undefined => undefined

/** nact's last line. Nothing of ours throws into nact; a fault in nact itself must not end a cell behind our back. */
const onCrash = (_message: unknown, _error: unknown, context: { readonly resume: symbol }) => context.resume

const kids = { onCrash } as object // nact's types want `Symbol`, not `symbol`

/**
 * Ends an actor that nact made, and all below it, which nact would leave running. What a handler of it fails with after
 * that is resumed: escalated, it would end the process, as a stopped actor has no parent.
 */
const end = (guest: NactActor): void => {
  for (const below of guest.children.values()) end(below)
  guest.onCrash = onCrash
  guest.stop()
}

const endGuests = ({ children }: { readonly children: ReadonlyMap<string, NactActor> }): void => {
  for (const child of children.values()) if (child.f !== silent) end(child)
}

/** nact systems of this process must differ in name. */
let systems = 0

/** One nact system. */
export class NactTree {
  /** Under which the root cells hang. */
  readonly root: NactRef<never>
  private system: NactSystem | undefined = undefined
  private ordinal = 0

  constructor() {
    const name = `mobwright-${++systems}`
    // nact's types say a string; its code reads the name from an object only.
    this.root = start({ name } as unknown as string, (system) => {
      this.system = system as unknown as NactSystem // nact's types hide what a plugin works with
    })
  }

  /** Hangs a cell under `parent`. Throws if that has stopped. */
  add(parent: NactRef<never>, cell: Receiver): NactRef<never> {
    const properties = { initialState: cell, onCrash: this.lastLine, afterStop } as object // as above
    return spawn(parent, receive as () => Receiver, `c${++this.ordinal}`, properties) as NactRef<never> // no type speaks of nact's messages
  }

  /** A node under which children of a cell hang. */
  addNode(parent: NactRef<never>, name: string): NactRef<never> {
    return spawn(parent, silent, name, kids) as NactRef<never> // as above
  }

  /** It is in the tree. */
  has(ref: NactRef<never>): boolean {
    return this.system?.find(ref) !== undefined
  }

  /** Takes one actor out of the tree; the cells below it must be out. Harmless if it is out. */
  remove(ref: NactRef<never>): void {
    const actor = this.system?.find(ref)
    if (actor === undefined) return
    endGuests(actor)
    // nact would forget it; like this it is handed over, and is a dead letter.
    actor.immediate = undefined
    actor.stop()
  }

  /** Actors that nact programs have hung below a cell, by name. */
  guests(ref: NactRef<never>): ReadonlyMap<string, NactRef<never>> {
    const actor = this.system?.find(ref)
    const guests = new Map<string, NactRef<never>>()
    for (const [name, { f, reference }] of actor?.children ?? []) if (f !== silent) guests.set(name, reference)
    return guests
  }

  /** Ends what nact programs have hung below a cell. */
  removeGuests(ref: NactRef<never>): void {
    const actor = this.system?.find(ref)
    if (actor !== undefined) endGuests(actor)
  }

  /** Ends the system; its cells must have been removed. */
  close(): void {
    if (this.system !== undefined) endGuests(this.system)
    stop(this.root)
  }

  /** That of cells: what escalates to one crashes it. */
  private readonly lastLine = (
    message: unknown,
    error: unknown,
    context: { readonly self: NactRef<never>; readonly resume: symbol },
    child?: NactRef<never>
  ): symbol => {
    if (child !== undefined) this.system?.find(context.self)?.state.escalated(error)
    return onCrash(message, error, context)
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

const shown = (ref: NactRef<never>) => ref as unknown as NactReference // nact's types hide it

/** nact's path of an actor. */
export const nactPathOf = (ref: NactRef<never>): ActorPath => shown(ref).path

/** `/c3/k/c17`. */
export const pathOf = (ref: NactRef<never>): string => `/${nactPathOf(ref).parts.join("/")}`

/** The cell above a cell, or nact's system: without the silent node between. */
export const parentOf = (ref: NactRef<never>): NactRef<never> => {
  const { parent = ref } = shown(ref)
  return shown(parent).parent ?? parent
}
