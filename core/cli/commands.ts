/**
 * The command line of `mob`: its commands, their arguments and flags, their help. What a command does is loaded when
 * it is used, so that looking at a definition loads no database.
 */
import { Effect, Layer, Option } from "effect"
import { Argument, CliConfig, CliOutput, Command, Flag, GlobalFlag } from "effect/cli"
import { createRequire } from "node:module"
import { usage } from "./failure.ts"

// By package name, which is the same from the sources and from what is published.
const { version } = createRequire(import.meta.url)("mobwright/package.json") as { readonly version: string }

const file = Argument.String("FILE").pipe(Argument.withDescription("The mob's definition, TOML or JSON"))
const runId = Argument.String("RUN").pipe(Argument.withDescription("Id of a run, as mob runs shows it"))
const json = Flag.Boolean("json").pipe(Flag.withDescription("Print the result as JSON"), Flag.withDefault(false))
const mob = Flag.String("mob").pipe(
  Flag.withMetavar("ID"),
  Flag.withDescription("Which mob, if the data directory has several"),
  Flag.optional
)
const dataBeside = Flag.String("data").pipe(
  Flag.withMetavar("DIR"),
  Flag.withDescription("Where the mob keeps its state; .mob beside FILE if not said"),
  Flag.optional
)
const dataHere = Flag.String("data").pipe(
  Flag.withMetavar("DIR"),
  Flag.withDescription("Where the mob keeps its state; ./.mob if not said"),
  Flag.optional
)
const text = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.optional)

const look = { data: dataHere, mob, json }
const where = <Options extends { readonly data: Option.Option<string>; readonly mob: Option.Option<string> }>(
  options: Options
) => ({ ...options, data: Option.getOrUndefined(options.data), mob: Option.getOrUndefined(options.mob) })

const validate = Command.make(
  "validate",
  { file, json },
  (options) => Effect.flatMap(Effect.promise(() => import("./validate.ts")), (it) => it.validate(options))
).pipe(
  Command.withDescription("Check a definition and say what is wrong with it, without running anything"),
  Command.withExamples([{ command: "mob validate mob.toml" }])
)

const run = Command.make("run", {
  file,
  flow: text("flow", "ID", "Flow to run; main, or the only one, if not said"),
  params: text("params", "JSON", "Parameters of the run, as a JSON object"),
  param: Flag.KeyValuePair("param").pipe(
    Flag.withMetavar("k=v"),
    Flag.withDescription("One parameter; the value is JSON if it parses, else text. May be repeated"),
    Flag.optional
  ),
  key: text("key", "KEY", "Name of this run: the same key shows the same run again, also after its end"),
  data: dataBeside,
  json
}, (options) =>
  Effect.flatMap(
    Effect.promise(() => Promise.all([import("./run.ts"), import("./runtime.ts")])),
    ([{ run }, { openRuntime }]) =>
      run({
        ...options,
        flow: Option.getOrUndefined(options.flow),
        params: Option.getOrUndefined(options.params),
        param: Option.getOrElse(options.param, () => ({})),
        key: Option.getOrUndefined(options.key),
        data: Option.getOrUndefined(options.data)
      }, openRuntime)
  )).pipe(
    Command.withDescription(
      "Run a flow to its end. Interrupted, it is suspended; the same command continues it. "
        + "The result goes to stdout, progress to stderr"
    ),
    Command.withShortDescription("Run a flow to its end"),
    Command.withExamples([
      { command: "mob run mob.toml", description: "Run the flow main" },
      {
        command: "mob run mob.toml --flow audit --param path=src --json",
        description: "Another flow, with a parameter"
      }
    ])
  )

const up = Command.make("up", {
  file,
  data: dataBeside,
  log: Flag.Literals("log", ["pretty", "json"]).pipe(
    Flag.withDescription("Form of the log on stderr"),
    Flag.withDefault("pretty" as const)
  )
}, (options) =>
  Effect.flatMap(
    Effect.promise(() => Promise.all([import("./up.ts"), import("./runtime.ts")])),
    ([{ up }, { openRuntime }]) => up({ ...options, data: Option.getOrUndefined(options.data) }, openRuntime)
  )).pipe(
    Command.withDescription("Keep a mob running until Ctrl-C. Prints one line when it is ready"),
    Command.withExamples([{ command: "mob up mob.toml" }])
  )

const looking = Effect.promise(() => import("./look.ts"))

const ps = Command.make("ps", look, (options) => Effect.scoped(Effect.flatMap(looking, (it) => it.ps(where(options)))))
  .pipe(
    Command.withDescription("Show mobs and their members")
  )

const tree = Command.make(
  "tree",
  look,
  (options) => Effect.scoped(Effect.flatMap(looking, (it) => it.tree(where(options))))
).pipe(
  Command.withDescription("Show what runs under what in the process that holds the mob")
)

const runs = Command.make(
  "runs",
  look,
  (options) => Effect.scoped(Effect.flatMap(looking, (it) => it.runs(where(options))))
).pipe(
  Command.withDescription("Show the runs of a mob, newest first")
)

const status = Command.make(
  "status",
  { run: runId, ...look },
  (options) => Effect.scoped(Effect.flatMap(looking, (it) => it.status(where(options))))
).pipe(
  Command.withDescription("Show one run and its steps")
)

const events = Command.make("events", {
  ...look,
  after: Flag.Int("after").pipe(
    Flag.withMetavar("CURSOR"),
    Flag.withDescription("Only events after this one; the number stands before each event"),
    Flag.withDefault(0)
  ),
  follow: Flag.Boolean("follow").pipe(
    Flag.withDescription("Go on with new events as they come"),
    Flag.withDefault(false)
  )
}, (options) => Effect.scoped(Effect.flatMap(looking, (it) => it.events(where(options))))).pipe(
  Command.withDescription("Show what happened in a mob, one event a line")
)

const cancel = Command.make(
  "cancel",
  { run: runId, ...look },
  (options) => Effect.scoped(Effect.flatMap(looking, (it) => it.cancel(where(options))))
).pipe(
  Command.withDescription("End a run; what it finished stays")
)

const storing = Effect.promise(() => import("./store.ts"))
const store = { data: dataHere, json }
const at = <Options extends { readonly data: Option.Option<string> }>(options: Options) => ({
  ...options,
  data: Option.getOrUndefined(options.data)
})
const backupFile = Argument.String("FILE").pipe(Argument.withDescription("The backup"))
const secretName = Argument.String("NAME").pipe(Argument.withDescription("Name of the secret"))
const stdin = Effect.promise(async () => {
  const chunks: Array<Buffer> = []
  // Without an encoding a stream gives buffers.
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
})

const storeVerify = Command.make("verify", store, (options) => Effect.flatMap(storing, (it) => it.verify(at(options))))
  .pipe(Command.withDescription("Read everything in a data directory and say what is wrong; changes nothing"))

const storeRepair = Command.make(
  "repair",
  {
    to: Argument.String("NEW").pipe(Argument.withDescription("Where to write what is intact; must not be there yet")),
    name: Flag.KeyValuePair("name").pipe(
      Flag.withMetavar("N=ID"),
      Flag.withDescription("Name of a mob whose record cannot be read, by its number. May be repeated"),
      Flag.optional
    ),
    ...store
  },
  (options) =>
    Effect.flatMap(storing, (it) => it.repair({ ...at(options), name: Option.getOrElse(options.name, () => ({})) }))
).pipe(
  Command.withDescription(
    "Write what is intact of a damaged data directory to a new one, and list what is lost; ends with 1 if anything is"
  )
)

const storeBackup = Command.make("backup", {
  file: backupFile,
  secrets: Flag.Boolean("secrets").pipe(
    Flag.withDescription("Put the secrets in too; keep the file where nobody else reads it"),
    Flag.withDefault(false)
  ),
  ...look
}, (options) => Effect.flatMap(storing, (it) => it.backup(where(options)))).pipe(
  Command.withDescription("Write all mobs, or one, as they stand now into a file; they may be running")
)

const storeExport = Command.make(
  "export",
  { file: backupFile, ...look },
  (options) => Effect.flatMap(storing, (it) => it.exportMob(where(options)))
).pipe(Command.withDescription("Write one mob into a file, as backup does; never with secrets"))

const storeRestore = Command.make(
  "restore",
  { file: backupFile, ...store },
  (options) => Effect.flatMap(storing, (it) => it.restore(at(options)))
).pipe(Command.withDescription("Bring all mobs of a backup into a data directory that has none of them"))

const storeImport = Command.make(
  "import",
  { file: backupFile, ...store },
  (options) => Effect.flatMap(storing, (it) => it.restore(at(options)))
).pipe(Command.withDescription("Bring an exported mob into a data directory, as restore does"))

const storeInspect = Command.make(
  "inspect",
  store,
  (options) => Effect.flatMap(storing, (it) => it.inspect(at(options)))
).pipe(Command.withDescription("Show what a data directory holds"))

const storeSecret = Command.make("secret").pipe(
  Command.withDescription("Secrets of a data directory: they stand in no log, event or export"),
  Command.withSubcommands([
    Command.make(
      "set",
      { name: secretName, ...store },
      (options) => Effect.flatMap(storing, (it) => it.setSecret(at(options), stdin))
    ).pipe(Command.withDescription("Set a secret; its value comes from stdin")),
    Command.make("list", store, (options) => Effect.flatMap(storing, (it) => it.listSecrets(at(options)))).pipe(
      Command.withDescription("Show the names of secrets")
    ),
    Command.make(
      "remove",
      { name: secretName, ...store },
      (options) => Effect.flatMap(storing, (it) => it.removeSecret(at(options)))
    ).pipe(Command.withDescription("Remove a secret"))
  ])
)

const storeRoot = Command.make("store").pipe(
  Command.withDescription("Check, repair, back up and restore the state that mobs keep"),
  Command.withSubcommands([
    storeVerify,
    storeRepair,
    storeBackup,
    storeRestore,
    storeExport,
    storeImport,
    storeInspect,
    storeSecret
  ])
)

const root = Command.make("mob").pipe(
  Command.withDescription(
    "Durable teams of members under supervision. Start with: mob validate FILE, then mob run FILE"
  ),
  Command.withSubcommands([validate, run, up, ps, tree, runs, status, events, cancel, storeRoot])
)

/** Bad usage is one line for whoever mistyped; the whole help is for whoever asks. */
const presenter = CliOutput.layerPresenter({
  present: (event) => event._tag === "InvalidInvocation" ? Effect.void : CliOutput.defaultPresenter.present(event)
})

// A suggestion comes as lines of its own.
const oneLine = (error: { readonly message: string }) => error.message.replace(/\s*\n\s*/g, " ")

/** Runs one command line. Fails as the command does; bad usage is a failure with exit code 2. */
export const runCommandLine = (args: ReadonlyArray<string>) =>
  Command.runWith(root, { version })(args).pipe(
    Effect.catchTag("ShowHelp", (help) => {
      const path = help.commandPath.join(" ")
      return help.errors.length === 0
        ? Effect.void
        : Effect.fail(usage("USAGE", `${help.errors.map(oneLine).join("; ")}; see ${path} --help`))
    }),
    Effect.provide(Layer.mergeAll(
      presenter,
      CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] })
    ))
  )
