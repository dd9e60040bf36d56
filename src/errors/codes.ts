// The table of every error Bridle raises: what kind it is, what it says and what to do next.

/** A kind decides the HTTP status and the process exit code; see `kinds`. */
export const kinds = {
  invalid: { status: 400, exit: 2 },
  unauthenticated: { status: 401, exit: 3 },
  denied: { status: 403, exit: 3 },
  missing: { status: 404, exit: 4 },
  method: { status: 405, exit: 2 },
  conflict: { status: 409, exit: 5 },
  "too-large": { status: 413, exit: 2 },
  "unsupported-media": { status: 415, exit: 2 },
  "gate-failed": { status: 422, exit: 6 },
  busy: { status: 429, exit: 7 },
  stalled: { status: 408, exit: 8 },
  unavailable: { status: 503, exit: 8 },
  timeout: { status: 504, exit: 8 },
  bug: { status: 500, exit: 1 },
} as const;

export type ErrorKind = keyof typeof kinds;

export interface ErrorRow {
  readonly kind: ErrorKind;
  /** What happened; `{name}` is filled from the error's details. */
  readonly message: string;
  /** The next thing to do; `{name}` is filled from the error's details. */
  readonly hint: string;
}

export const codes = {
  BUG: {
    kind: "bug",
    message: "Bridle failed in a way it should not: {reason}",
    hint: "Report it with the request id or the command line; nothing you sent was kept.",
  },
  CANCELLED: {
    kind: "timeout",
    message: "The work was cancelled before it was done.",
    hint: "Send it again, or give it a longer deadline.",
  },
  DEADLINE_EXCEEDED: {
    kind: "timeout",
    message: "The work was not done within {timeoutMs} ms.",
    hint: "Send a shorter document, or raise the deadline.",
  },
  BUSY: {
    kind: "busy",
    message: "{queued} requests are waiting already and the queue holds {limit}.",
    hint: "Try again after {retryAfterS} s.",
  },
  DEADLINE_OUT_OF_REACH: {
    kind: "busy",
    message:
      "So many requests wait that this one would take about {neededS} s, and its deadline is in {leftS} s.",
    hint: "Try again after {retryAfterS} s, or give it more time (the header x-timeout-ms, up to --deadline-ms).",
  },
  EMPTY_TEXT: {
    kind: "invalid",
    message: "There is no text to summarize in {where}.",
    hint: "Send a document with at least one word.",
  },
  TEXT_TOO_LARGE: {
    kind: "too-large",
    message: "{where} is {size} long; the limit is {limit}.",
    hint: "Split it, and work on its parts one by one.",
  },
  INVALID_PARAMETER: {
    kind: "invalid",
    message: "{parameter} is {value}; it must be {expected}.",
    hint: "Correct {parameter}: `--help` of the command, or /docs of a server, tells what it takes.",
  },
  PARAMETER_NOT_SUPPORTED: {
    kind: "invalid",
    message: "{parameter} does not apply to the model {model}.",
    hint: "Leave it out; this model takes {supported}.",
  },
  MODEL_NOT_FOUND: {
    kind: "missing",
    message: "There is no model named {model} here.",
    hint: "Use one of: {available}.",
  },
  DOCUMENT_TOO_COMPLEX: {
    kind: "too-large",
    message: "Summarizing the document took more than {limitMb} MB of memory.",
    hint: "Split the document and summarize its parts.",
  },
  WORKER_ENDED: {
    kind: "bug",
    message: "The thread that did the work ended before it was done: {reason}",
    hint: "Send it again; if it happens again, report it with the document's size and kind.",
  },
  // Files and rows of data.
  FILE_NOT_FOUND: {
    kind: "missing",
    message: "There is no file {file}.",
    hint: "Check the path with `ls`: a relative one starts at the folder the command runs in. What is versioned comes with `bridle data pull`.",
  },
  FILE_NOT_READABLE: {
    kind: "denied",
    message: "{file} cannot be read: {reason}.",
    hint: "Check that it is a file and that you may read it.",
  },
  FILE_NOT_WRITABLE: {
    kind: "unavailable",
    message: "{file} cannot be written: {reason}.",
    hint: "Check that its folder exists, that you may write there and that the disk has room.",
  },
  GZIP_CORRUPT: {
    kind: "invalid",
    message: "{file} is not whole: its gzip data cannot be read ({reason}).",
    hint: "Fetch or compress it again; `gzip -t` tells whether a file is whole.",
  },
  ZSTD_CORRUPT: {
    kind: "invalid",
    message: "{file} is not whole: its Zstandard data cannot be read ({reason}).",
    hint: "Fetch or compress it again; `zstd -t` tells whether a file is whole.",
  },
  ROW_NOT_JSON: {
    kind: "invalid",
    message: "{where} is not a JSON object: {reason}.",
    hint: 'Write one object a line, such as {"document": "The text."}, or one list of objects; other formats are told by the name (.csv) or with --format.',
  },
  ROW_NOT_CSV: {
    kind: "invalid",
    message: "{where} is no row of this table: {reason}.",
    hint: "Put fields that hold delimiters, quotes or line ends in double quotes, with quotes inside doubled; --delimiter names another delimiter, data.delimiter in params.yaml.",
  },
  ROW_NOT_UTF8: {
    kind: "invalid",
    message: "{where} is not {encoding} text.",
    hint: "Name {guess} with --encoding, in params.yaml as data.encoding, or convert the file: iconv -f ENCODING -t utf-8 x.jsonl > y.jsonl",
  },
  ROW_TOO_LARGE: {
    kind: "too-large",
    message: "{where} has {size} bytes; the limit is {limit}.",
    hint: "Split its document into several rows; in CSV, look for a quote before it that is never closed.",
  },
  COLUMN_MISSING: {
    kind: "invalid",
    message: "{where} has no text in {column}; its columns are {columns}.",
    hint: "{suggestion}Name the column that holds it; `--help` tells the option.",
  },
  COLUMN_AMBIGUOUS: {
    kind: "invalid",
    message: "{where} has more than one column that may hold its {what}: {columns}.",
    hint: "Name the one that is meant as the {option}; `--help` tells the option.",
  },
  COLUMN_NOT_TEXT: {
    kind: "invalid",
    message: "{where} has {found} in {column}, where {expected} belongs.",
    hint: "Write it as text, or name the column that holds the text; `--help` tells the option.",
  },
  FOLDER_NOT_DATA: {
    kind: "invalid",
    message: "{folder} cannot be read as pairs of texts: {reason}.",
    hint: "Put x.summary.txt beside each x.txt, or equal names in documents/ and summaries/; name files of rows one by one.",
  },
  ROWS_EMPTY: {
    kind: "invalid",
    message: "{count} of {rows} rows have no text in their {what}: {places}.",
    hint: 'Fill or remove them; onEmpty: "skip" (data.onEmpty=skip) leaves them out and counts them.',
  },
  DATA_EMPTY: {
    kind: "invalid",
    message: "There is nothing to learn from in {files}: {reason}.",
    hint: "Check the path, the format and the columns; a header without records is no row.",
  },
  DATA_TESTS_INVALID: {
    kind: "invalid",
    message: "The tests in {file} cannot be run: {problems}.",
    hint: "Correct them; docs/guides/data-checks.md lists what a test may ask.",
  },
  DATA_CHECK_FAILED: {
    kind: "gate-failed",
    message: "The data failed {count} of their checks: {names}.",
    hint: "The report says where. {advice}",
  },
  SPLIT_IMPOSSIBLE: {
    kind: "invalid",
    message: "{file} cannot be split: {reason}.",
    hint: "Correct what is said there; `bridle data check` tells of every row that cannot be read.",
  },
  DATA_CHANGED: {
    kind: "conflict",
    message: "{file} was changed while it was in use, so that its rows are not where they were.",
    hint: "Start again; leave data alone while a run reads it, or give the run a copy.",
  },
  DATA_VERSION_NOT_FOUND: {
    kind: "missing",
    message: "There is no version of data {id} here.",
    hint: "GET /v1/data lists those that runs, registered versions, evaluations and .dvc files name.",
  },
  TOKEN_MISSING: {
    kind: "invalid",
    message:
      "The tokenizer has no token {name}, which gap-sentence training writes in place of a sentence or a word.",
    hint: "Use a Pegasus tokenizer with its pre-training tokens; `bridle tokenizer train` makes one.",
  },
  TOKEN_BUDGET_TOO_SMALL: {
    kind: "invalid",
    message: "{where} alone has {tokens} tokens with padding; a batch may have {budget}.",
    hint: "Raise the budget (train.microBatchTokens), or cut texts earlier (data.maxSourceTokens, data.maxTargetTokens).",
  },
  PARQUET_GROUP_TOO_LARGE: {
    kind: "too-large",
    message:
      "{file} has a row group of {megabytes} MB from row {row} on, more than is read at once.",
    hint: "Write it with smaller groups, for example df.to_parquet(file, row_group_size=10000) in pandas.",
  },
  // Versions of data, and the stores they lie in.
  DVC_REPO_NOT_FOUND: {
    kind: "missing",
    message: "{folder} is in no DVC repository: neither it nor a folder above it holds .dvc.",
    hint: "Run `bridle data init` in the project's folder, or change into one that has a .dvc folder.",
  },
  DVC_REPO_EXISTS: {
    kind: "conflict",
    message: "{folder} is a DVC repository already.",
    hint: "Go on with `bridle data add PATH`; `bridle data status` tells what is there.",
  },
  DVC_REPO_BUSY: {
    kind: "busy",
    message: "Another process ({pid} on {host}, `{command}`) is changing this repository.",
    hint: "Wait until it is done and run it again; should it be gone for good, delete {file}.",
  },
  DVC_FILE_INVALID: {
    kind: "invalid",
    message: "{file} cannot be used: {reason}.",
    hint: "Correct it, or take it from Git again: `git checkout -- {file}`.",
  },
  DVC_FORMAT_UNSUPPORTED: {
    kind: "invalid",
    message: "{file} is a .{format} file, which only dvc itself reads for parameters and metrics.",
    hint: "Keep them in a .yaml or .json file, or ask dvc: `dvc params diff`.",
  },
  DVC_PATH_NOT_TRACKED: {
    kind: "missing",
    message: "{path} is no output of a .dvc file or a stage here.",
    hint: "Add it with `bridle data add {path}`, or see `bridle data status` for what is tracked.",
  },
  DVC_PATH_UNFIT: {
    kind: "invalid",
    message: "{path} cannot be versioned: {reason}.",
    hint: "Name a file or folder inside the repository: `bridle data add PATH`; `bridle data status` tells what is versioned.",
  },
  DVC_OUTPUT_OVERLAPS: {
    kind: "conflict",
    message: "{path} cannot be added: {other}, an output of {stage}, overlaps it.",
    hint: "Add {other} instead, or stop tracking it first by deleting {stage}.",
  },
  DVC_TRACKED_BY_GIT: {
    kind: "conflict",
    message: "{path} is in Git already.",
    hint: "Take it out of Git first: `git rm -r --cached '{path}'` and `git commit -m \"stop tracking {path}\"`.",
  },
  DVC_LINK_UNFIT: {
    kind: "invalid",
    message: "{path} is a symbolic link to {target}, {reason}.",
    hint: "A link may lead to what is inside the repository alone. {mend}",
  },
  DVC_NAME_UNFIT: {
    kind: "invalid",
    message: "The name {path} cannot be kept: {reason}.",
    hint: "Rename it with `mv` (`ls -b` shows such names), and add it again with `bridle data add`.",
  },
  DVC_FILE_CHANGED: {
    kind: "conflict",
    message: "{path} changed while it was being read.",
    hint: "Wait until whatever writes it is done, and run it again.",
  },
  DVC_FILES_UNSAVED: {
    kind: "conflict",
    message:
      "{paths} would be lost: no cache holds what is in the working folder ({count} in all).",
    hint: "Save it with `bridle data add`, or give it up with --force.",
  },
  DVC_OBJECT_MISSING: {
    kind: "missing",
    message: "The cache has not got {count} of the files, such as {path} ({id}).",
    hint: "Fetch them with `bridle data pull`.",
  },
  DVC_OBJECT_CORRUPT: {
    kind: "conflict",
    message: "{place} does not hold what its name says ({actual} in place of {id}).",
    hint: "Delete it: `rm -f '{place}'`; then `bridle data pull` fetches it again, or `bridle data add` saves it from the working folder.",
  },
  DVC_REMOTE_OBJECT_MISSING: {
    kind: "missing",
    message: "The remote {remote} has not got {count} of the files, such as {path} ({id}).",
    hint: "Push them from where they are: `bridle data push`, in the clone that added them.",
  },
  DVC_REMOTE_OBJECT_CORRUPT: {
    kind: "conflict",
    message: "{remote} gave {actual} in place of {id} for {path}; nothing of it was kept.",
    hint: "Delete {key} there and push it again from a clone that has it: `bridle data push`.",
  },
  DVC_REMOTE_UNKNOWN: {
    kind: "missing",
    message: "There is no remote {remote} in .dvc/config; there are: {available}.",
    hint: "Add it: `bridle data remote add {remote} URL`.",
  },
  DVC_REMOTE_NOT_SET: {
    kind: "invalid",
    message: "No remote is named, and .dvc/config names none as the default.",
    hint: "Add one: `bridle data remote add --default store URL`, or name one with --remote.",
  },
  DVC_REMOTE_UNSUPPORTED: {
    kind: "invalid",
    message: "The remote {remote} cannot be used: {reason}.",
    hint: "Give it a URL of the form s3://BUCKET/PATH, gs://…, azure://…, https://… or a folder.",
  },
  DVC_REVISION_NOT_FOUND: {
    kind: "missing",
    message: "Git knows no revision {revision} in {folder}.",
    hint: "See `git branch --all`, `git tag` and `git log`; a shallow clone needs `git fetch --unshallow`.",
  },
  DVC_GIT_NOT_FOUND: {
    kind: "invalid",
    message: "{folder} is in no Git repository, so that there are no revisions to look at.",
    hint: "Run `git init` and commit, or leave the revision out.",
  },
  DVC_DISK_FULL: {
    kind: "unavailable",
    message: "{folder} has {free} free; {what} needs {needed}.",
    hint: "Make room, or set cache.dir in .dvc/config to a larger disk; then run it again: what is done is not done twice. `bridle data gc --all-commits --dry-run` tells what no commit of this clone needs; push first what is nowhere else.",
  },
  DVC_NOT_WRITABLE: {
    kind: "denied",
    message: "{file} cannot be written: {reason}.",
    hint: "Make {folder} writable (`chmod -R u+w '{folder}'`, or mount its disk for writing), then run `{command}` again; cache.dir in .dvc/config puts the cache elsewhere.",
  },
  DVC_LINK_FAILED: {
    kind: "invalid",
    message: "{path} cannot be linked to the cache: none of {types} works from {cache} to there.",
    hint: "Let it copy: set `type = reflink,hardlink,symlink,copy` under [cache] in .dvc/config.",
  },
  DVC_GC_NEEDS_ROOTS: {
    kind: "invalid",
    message: "Nothing says which versions must stay.",
    hint: "Name them: `bridle data gc --all-commits` keeps what any commit needs, --all-branches and --all-tags less, --workspace what the working folder needs alone; --dry-run tells what would go.",
  },
  REGISTRY_NOT_ASKED: {
    kind: "missing",
    message:
      "Nobody can tell what data registered models were trained on, and nothing was deleted: {reasons}.",
    hint: "Name the registry: `bridle data gc --db URL`, once for each, or BRIDLE_DB. Where it is gone for good, --allow-unasked goes on; what its models were trained on may be deleted then.",
  },
  BLOB_NOT_FOUND: {
    kind: "missing",
    message: "{store} has no {key}.",
    hint: "Check the remote's URL, and that whoever added the data has pushed it: `bridle data push`.",
  },
  BLOB_STORE_MISSING: {
    kind: "missing",
    message: "{store} is not there: {reason}.",
    hint: "Create it, or correct the remote's URL: `bridle data remote add --force NAME URL`.",
  },
  BLOB_UNAUTHENTICATED: {
    kind: "unauthenticated",
    message: "{store} does not accept the credentials: {reason}.",
    hint: "Log in again: {login}",
  },
  BLOB_DENIED: {
    kind: "denied",
    message: "{store} does not allow {what} of {key}: {reason}.",
    hint: "Ask for that right, or use credentials that have it; `bridle doctor` tells which are in use.",
  },
  BLOB_STORE_FULL: {
    kind: "unavailable",
    message: "{store} has no room for {key}: {reason}.",
    hint: "Make room there; then push again: what has arrived stays. `bridle data gc --all-commits --cloud --dry-run` tells what no commit of this clone needs; other clones may need it.",
  },
  BLOB_READ_ONLY: {
    kind: "invalid",
    message: "{store} can only be read.",
    hint: "Push to a remote that can be written: `bridle data push --remote NAME`.",
  },
  BLOB_UNAVAILABLE: {
    kind: "unavailable",
    message: "{store} did not answer for {key}: {reason}.",
    hint: "Check the network and the remote's URL, and run it again: what is done is not done twice.",
  },
  PEER_MISSING: {
    kind: "invalid",
    message: "{what} needs the package {package}, which is not installed.",
    hint: "Install it: `npm install {package}`.",
  },
  // Databases.
  DATABASE_URL_UNSUPPORTED: {
    kind: "invalid",
    message: "{url} names no database: {reason}.",
    hint: "Write sqlite:FILE, a file's path, or postgres://USER@HOST/NAME.",
  },
  DATABASE_UNAVAILABLE: {
    kind: "unavailable",
    message: "The database {database} cannot be reached: {reason}.",
    hint: "Check that the file's folder is there, or that the server runs and listens; `bridle doctor` tells more.",
  },
  DATABASE_UNAUTHENTICATED: {
    kind: "unauthenticated",
    message: "The database {database} refuses who asks: {reason}.",
    hint: "Set PGPASSWORD, or put the user and password into BRIDLE_DB.",
  },
  DATABASE_MISSING: {
    kind: "missing",
    message: "There is no database {database}: {reason}.",
    hint: "Make it with `createdb`, or correct the name in --db or BRIDLE_DB.",
  },
  DATABASE_DENIED: {
    kind: "denied",
    message: "The database {database} does not allow it: {reason}.",
    hint: "Check that you may write the file and its folder, or what the user may do on the server.",
  },
  DATABASE_BUSY: {
    kind: "busy",
    message:
      "The database {database} was used by others for {seconds} s without a turn for this process.",
    hint: "Try again; if it stays so, end the process that holds it, or use PostgreSQL for many writers.",
  },
  DATABASE_FULL: {
    kind: "unavailable",
    message: "The disk of the database {database} is full: {reason}.",
    hint: "Make room and try again; what was written before is kept, what failed left nothing.",
  },
  DATABASE_CORRUPT: {
    kind: "unavailable",
    message: "The database {database} is damaged: {reason}.",
    hint: "Take a copy of the file, then restore a backup, or save what can be read with `sqlite3 FILE .recover`.",
  },
  DATABASE_CONFLICT: {
    kind: "conflict",
    message: "The database {database} refuses a row: {reason}.",
    hint: "Somebody else wrote it first, or it names something that is gone; look again and repeat.",
  },
  DATABASE_NEWER: {
    kind: "conflict",
    message:
      "The database {database} is of a newer Bridle: its {component} is at version {version}, and this one knows {known}.",
    hint: "Install the newer Bridle; nothing was changed.",
  },
  DATABASE_ALTERED: {
    kind: "conflict",
    message:
      "The database {database} was made by another migration: version {version} of {component} is not the one of this Bridle.",
    hint: "Use the build of Bridle that made it, or restore a backup; nothing was changed.",
  },
  DATABASE_HALF_MIGRATED: {
    kind: "conflict",
    message: "The database {database} is half migrated in {component}: {reason}.",
    hint: "Restore a whole backup, or set the file aside to begin with an empty one; nothing was changed.",
  },
  // Runs.
  RUN_NOT_FOUND: {
    kind: "missing",
    message: "There is no run {run} here.",
    hint: "See `bridle runs list` for the ids there are; another database is named by --db or BRIDLE_DB.",
  },
  RUN_AMBIGUOUS: {
    kind: "conflict",
    message: "{run} means several runs: {ids}.",
    hint: "Name one by its whole id.",
  },
  RUN_QUERY_INVALID: {
    kind: "invalid",
    message: "The {what} {text} cannot be read: {reason}.",
    hint: "See `bridle runs list --help` for conditions and orders, such as 'metrics.eval/loss < 2' and -started.",
  },
  ARTIFACT_NOT_FOUND: {
    kind: "missing",
    message: "Run {run} keeps no file {name}.{where}",
    hint: "See `bridle runs show RUN` for its files and where they lie.",
  },
  IMPORT_EMPTY: {
    kind: "missing",
    message: "There are no runs to import in {place}.",
    hint: "Looked for: {expected}. See `bridle runs import --help`.",
  },
  IMPORT_INCOMPLETE: {
    kind: "invalid",
    message: "{failed} of {runs} are not imported whole, the first of them {name}: {reason}.",
    hint: "Correct what is named and import again: what was imported is there once.",
  },
  SINK_UNKNOWN: {
    kind: "invalid",
    message: "Runs cannot be told to {sink}: {reason}.",
    hint: "Write --sink mlflow=http://localhost:5000 or --sink wandb=ENTITY/PROJECT, or the same in BRIDLE_SINKS.",
  },
  SINK_KEY_MISSING: {
    kind: "unauthenticated",
    message: "There is no key for {sink}.",
    hint: "Set WANDB_API_KEY, or put it into ~/.netrc: `machine {host} login user password KEY`.",
  },
  SINK_NONE: {
    kind: "invalid",
    message: "It is not said whom to tell.",
    hint: "Add --sink mlflow=http://localhost:5000 (runs also --sink wandb=ENTITY/PROJECT), or set BRIDLE_SINKS.",
  },
  SINK_UNAVAILABLE: {
    kind: "unavailable",
    message: "{sink} does not answer as it should: {reason}.",
    hint: "What it was to be told waits here; start the server, then run `bridle runs sync`.",
  },
  SINK_DENIED: {
    kind: "denied",
    message: "{sink} does not let this process tell it of runs: {reason}.",
    hint: "Set WANDB_API_KEY, or for MLflow MLFLOW_TRACKING_TOKEN or _USERNAME and _PASSWORD; then run `bridle runs sync`.",
  },
  SINK_REFUSED: {
    kind: "invalid",
    message: "{sink} refuses {what}: {reason}.",
    hint: "It will not take it another time either; the run's own record here is whole. See the reason it gives.",
  },
  SINK_BEHIND: {
    kind: "unavailable",
    message: "{count} runs could not be told to {sinks}; the first: {first}",
    hint: "What they told waits in {folder}; run `bridle runs sync` again when the server is back.",
  },
  // Text from files.
  UNSUPPORTED_FILE_TYPE: {
    kind: "unsupported-media",
    message: "{where} looks like {looksLike}, which is not read here.",
    hint: "Accepted are txt, md, html, pdf and docx; {advice}.",
  },
  UNKNOWN_ENCODING: {
    kind: "unsupported-media",
    message: "{where} is no text in any encoding known here.",
    hint: "Save it as UTF-8, or name its charset in the Content-Type: text/plain; charset=shift_jis.",
  },
  FILE_TOO_LARGE: {
    kind: "too-large",
    message: "{where} has {sizeBytes} bytes; the limit is {limitBytes}.",
    hint: "Split the document, or take its pictures out.",
  },
  FILE_UNPACKS_TOO_LARGE: {
    kind: "too-large",
    message: "{where} unpacks to more than {limit}.",
    hint: "No ordinary document does; if this one is real, save its text alone as .txt and send that.",
  },
  FILE_TOO_COMPLEX: {
    kind: "too-large",
    message: "Reading {where} took more than {limitMb} MB of memory.",
    hint: "Split the document, or save its text alone as .txt and send that.",
  },
  TOO_MANY_PAGES: {
    kind: "too-large",
    message: "{where} has {pages} pages; the limit is {limit}.",
    hint: "Split it: qpdf --pages . 1-{limit} -- in.pdf part.pdf",
  },
  FILE_ENCRYPTED: {
    kind: "invalid",
    message: "{where} is encrypted and opens only with a password.",
    hint: "Save a copy without the password; for a PDF: qpdf --decrypt --password=SECRET in.pdf out.pdf",
  },
  FILE_DAMAGED: {
    kind: "invalid",
    message: "{where} cannot be read as {format}: {reason}.",
    hint: "Check that it came over whole and opens in its own program, then save it anew and send that.",
  },
  NO_TEXT_LAYER: {
    kind: "invalid",
    message: "{where} has no text that can be read out: {reason}.",
    hint: "Run OCR first, for example: ocrmypdf in.pdf out.pdf",
  },
  // Evaluation.
  NOTHING_TO_EVALUATE: {
    kind: "invalid",
    message: "No row can be scored: {reason}.",
    hint: "Give rows whose document and summary hold text; `bridle evaluate --help` tells how columns are named.",
  },
  // Batches of documents.
  BATCH_OUTPUT_EXISTS: {
    kind: "conflict",
    message: "{file} is there already and was not begun by this batch.",
    hint: "Name another --output, or add --overwrite to lose what it holds.",
  },
  BATCH_CHANGED: {
    kind: "conflict",
    message: "{file} was begun with {what}, so going on would mix two batches.",
    hint: "Run it as it was begun, name another --output, or add --overwrite to begin anew.",
  },
  BATCH_RUNNING: {
    kind: "conflict",
    message: "Process {pid} on {host} is writing {file} now.",
    hint: "Wait for it or end it; if that process is something else, delete {lock} and try again. One of another machine or container that was killed is known by its silence: try again a minute after the first try.",
  },
  BATCH_ROWS_FAILED: {
    kind: "gate-failed",
    message: "{failed} of {rows} rows have an error in place of a summary.",
    hint: "Their lines in {file} say why; without --strict they do not fail the command.",
  },
  // The command line.
  UNKNOWN_COMMAND: {
    kind: "invalid",
    message: "There is no command {name}.",
    hint: "{suggestion}`{typed} --help` lists the commands.",
  },
  UNKNOWN_OPTION: {
    kind: "invalid",
    message: "There is no option {name}.",
    hint: "{suggestion}`{typed} --help` lists the options.",
  },
  COMMAND_LINE_INVALID: {
    kind: "invalid",
    message: "The command line is incomplete or contradicts itself: {problem}",
    hint: "See `{typed} --help`.",
  },
  DOCTOR_FAILED: {
    kind: "unavailable",
    message: "{count} of the checks failed: {names}.",
    hint: "Do what the report says under each, then run `bridle doctor` again.",
  },
  URL_NOT_FETCHED: {
    kind: "invalid",
    message: "{url} is a web address; Bridle reads files and standard input and fetches nothing.",
    hint: "Download it first: curl -L {url} -o page.html && bridle summarize page.html",
  },
  // The HTTP service.
  ROUTE_NOT_FOUND: {
    kind: "missing",
    message: "There is nothing at {path}.",
    hint: "See /docs for the routes of this service.",
  },
  METHOD_NOT_ALLOWED: {
    kind: "method",
    message: "{method} does not apply to {path}.",
    hint: "Use {allow}.",
  },
  REQUEST_MALFORMED: {
    kind: "invalid",
    message: "What was sent is not a valid HTTP/1.1 request.",
    hint: "Use an HTTP client; check the request line, the headers and the chunk sizes.",
  },
  REQUEST_STALLED: {
    kind: "stalled",
    message: "The request did not come in time.",
    hint: "Send the whole request at once.",
  },
  HEADERS_TOO_LARGE: {
    kind: "too-large",
    message: "The request's headers are over the limit of 16 KB.",
    hint: "Send fewer or shorter headers.",
  },
  BODY_MISSING: {
    kind: "invalid",
    message: "The request has no body.",
    hint: "Send {expected}.",
  },
  BODY_TOO_LARGE: {
    kind: "too-large",
    message: "The request's body is over the limit of {limit} bytes.",
    hint: "Send a smaller document, or start the server with a higher maxBodyBytes.",
  },
  BODY_STALLED: {
    kind: "stalled",
    message: "The rest of the request's body did not come within {timeoutMs} ms.",
    hint: "Send the whole body; check its Content-Length.",
  },
  BODY_CUT: {
    kind: "invalid",
    message: "The connection ended before the whole body was sent.",
    hint: "Send the request again.",
  },
  BODY_NOT_UTF8: {
    kind: "invalid",
    message: "The body is not UTF-8 text: byte {offset} fits no character.",
    hint: "Encode JSON as UTF-8; send files in other encodings to /bert-file/ or /v1/documents:extract.",
  },
  JSON_INVALID: {
    kind: "invalid",
    message: "The body is not JSON: {reason} at line {line}, column {column}.",
    hint: "Correct the JSON there.",
  },
  JSON_TOO_DEEP: {
    kind: "invalid",
    message: "The JSON is nested deeper than {limit} levels.",
    hint: "No request of this service needs more than a few.",
  },
  JSON_TOO_LONG: {
    kind: "too-large",
    message: "The JSON has more than {limit} characters outside of its texts.",
    hint: "Texts may be long; send fewer members, or a batch in parts.",
  },
  FIELDS_INVALID: {
    kind: "invalid",
    message: "The request does not have the expected fields: {problems}",
    hint: "Correct them; /docs shows what each route takes.",
  },
  MEDIA_TYPE_UNSUPPORTED: {
    kind: "unsupported-media",
    message: "The body is declared as {mediaType}; this route takes {expected}.",
    hint: "Set the Content-Type header to {expected}.",
  },
  CONTENT_ENCODING_UNSUPPORTED: {
    kind: "unsupported-media",
    message: "The body is compressed with {encoding}, which this service does not take.",
    hint: "Send the body as it is, without a Content-Encoding header.",
  },
  MULTIPART_INVALID: {
    kind: "invalid",
    message: "The form cannot be read: {reason}",
    hint: "Send multipart/form-data with one file: curl -F 'file=@text.txt'.",
  },
  FILE_MISSING: {
    kind: "invalid",
    message: "The form has no file in the field {field}.",
    hint: "Send one: curl -F '{field}=@text.txt'.",
  },
  TOO_MANY_FILES: {
    kind: "invalid",
    message: "The form has {count} files; this route takes one.",
    hint: "Send each file in a request of its own.",
  },
  BATCH_LINES_INVALID: {
    kind: "invalid",
    message: "Nothing was kept of the batch, because of {count} of its lines: {problems}",
    hint: 'Each line is a JSON object such as {"document": "…", "id": "a1"}; correct those lines and send it again.',
  },
  BATCH_NOT_FOUND: {
    kind: "missing",
    message: "There is no batch {id} that this caller may see.",
    hint: "GET /v1/batches lists them; a batch is kept for 30 days after it ended.",
  },
  BATCHES_FULL: {
    kind: "busy",
    message: "Batches with {open} documents are not over yet; together they may have {limit}.",
    hint: "Send it when others are done, or cancel one: POST /v1/batches/ID/cancel.",
  },
  BATCH_CANCELLED: {
    kind: "conflict",
    message: "The batch was cancelled before this document had its turn.",
    hint: "Send it in another batch.",
  },
  BATCH_DOCUMENT_LOST: {
    kind: "unavailable",
    message: "The process was lost {times} times while it worked on line {line} alone.",
    hint: "Most often memory runs out: split the document, or serve with more memory.",
  },
  BATCH_TOO_LARGE: {
    kind: "too-large",
    message: "The batch has {count} documents; the limit is {limit}.",
    hint: "Send it in parts.",
  },
  TOO_MUCH_IN_FLIGHT: {
    kind: "busy",
    message: "The requests being read hold {limit} bytes already.",
    hint: "Try again after {retryAfterS} s.",
  },
  LISTENERS_FULL: {
    kind: "busy",
    message: "{limit} streams of events are open already.",
    hint: "Try again after {retryAfterS} s, or let more listen at once: `bridle serve --max-event-streams`.",
  },
  SHUTTING_DOWN: {
    kind: "unavailable",
    message: "The server is shutting down and takes no new work.",
    hint: "Send the request again; another instance will take it.",
  },
  WORKER_LOST: {
    kind: "unavailable",
    message: "The process that worked on it is gone: {reason}.",
    hint: "It was given to another once, where there was time. Send it again; if it is lost again, its document or parameters may take more memory than a process has.",
  },
  WORKERS_HOPELESS: {
    kind: "unavailable",
    message:
      "Every process ended {count} times before it could answer anybody; of the last one is known: {reason}.",
    hint: "If it is the system that ended them, memory is short: start with fewer --workers, fewer models or --dtype int8. What they wrote before they ended, and with SIGKILL the system's log, tells more.",
  },
  WORKER_CHANGED: {
    kind: "conflict",
    message: "A process opened version {version} of {model}; the server began with {expected}.",
    hint: "Restart the server to serve what lies there now, or put back what lay there.",
  },
  WARMING_UP: {
    kind: "unavailable",
    message: "The server is loading its models.",
    hint: "Ask /ready again in a moment.",
  },
  KEY_MISSING: {
    kind: "unauthenticated",
    message: "This route needs an API key.",
    hint: "Send it as `Authorization: Bearer KEY` or `x-api-key: KEY`.",
  },
  KEY_UNKNOWN: {
    kind: "unauthenticated",
    message: "The API key is not one of this server's, or it has expired.",
    hint: "Check the key, or ask the operator for a new one.",
  },
  SCOPE_MISSING: {
    kind: "denied",
    message: "The API key {name} may not do this; it lacks the scope {scope}.",
    hint: "Use a key with the scope {scope}.",
  },
  OPERATOR_ROUTE_CLOSED: {
    kind: "denied",
    message:
      "This route is for operators, and no API key is set on a server that listens beyond loopback.",
    hint: "Set BRIDLE_API_KEYS or an API key file and send a key with the scope {scope}.",
  },
  KEY_FILE_INVALID: {
    kind: "invalid",
    message: "The API key file {file} cannot be used: {reason}",
    hint: "Correct it, or make another: bridle api-key create --name NAME --file FILE",
  },
  KEY_FILE_BUSY: {
    kind: "conflict",
    message: "Process {pid} on {host} is changing the API key file {file} now.",
    hint: "Try again; if that process is something else, delete {lock} first.",
  },
  KEY_NAME_TAKEN: {
    kind: "conflict",
    message: "A key cannot be named {name}: {reason}.",
    hint: "Give another --name. A key that is not to work any more is revoked by deleting its entry from the file.",
  },
  SERVE_OPTION_INVALID: {
    kind: "invalid",
    message: "The server cannot start: {problems}",
    hint: "Correct it; `bridle serve --help` lists what each option takes.",
  },
  ADDRESS_NOT_AVAILABLE: {
    kind: "unavailable",
    message: "The server cannot listen on {host}:{port}: {reason}.",
    hint: "Choose another port with --port, or stop what holds it.",
  },
  GRAPH_INVALID: {
    kind: "bug",
    message: "The graph is not legal: {reason}.",
    hint: "Correct the code that built the graph; verify() checks it without running it.",
  },
  GRADIENT_MISSING: {
    kind: "bug",
    message: "There is no gradient of {op}: {reason}.",
    hint: "Give the op a vjp in its entry of the table (src/graph/ops), or keep what is trained out of its inputs with stopGradient.",
  },
  SHAPE_MISMATCH: {
    kind: "invalid",
    message: "{op}: {reason}.",
    hint: "Make the shapes agree; config.json and the weights may belong to different models.",
  },
  ONNX_CORRUPT: {
    kind: "invalid",
    message: "This is no ONNX model that Bridle reads: {reason} (at byte {offset}).",
    hint: "Write the model again with encodeModel().",
  },
  DEVICE_UNAVAILABLE: {
    kind: "unavailable",
    message: "The device {device} did not open: {reason}",
    hint: "It needs {needs}. Use --device cpu, which is always there.",
  },
  DEPENDENCY_MISSING: {
    kind: "unavailable",
    message: "{name} could not be loaded: {reason}",
    hint: "Install it: {install}",
  },
  RUN_FAILED: {
    kind: "bug",
    message: "The model's graph failed to run: {reason}",
    hint: "Report it with the model's config.json and the device.",
  },
  WEIGHT_MISSING: {
    kind: "invalid",
    message: "The checkpoint has no tensor named {name}.",
    hint: "Its weights and config.json may belong to different models; download it again.",
  },
  RUN_CONFIG_INVALID: {
    kind: "invalid",
    message: "The run's configuration is wrong: {problems}",
    hint: "Correct params.yaml or the key=value words; `bridle config keys` lists every key, `bridle config show` what each came to.",
  },
  CONFIG_CYCLE: {
    kind: "invalid",
    message: "{where}: the defaults go in a circle: {circle}.",
    hint: "Take one of these entries out; what two files share belongs into a third one. `bridle config show {file}` tells when it is right.",
  },
  CONFIG_OPTION_NOT_FOUND: {
    kind: "missing",
    message: "{where}: there is no {name}.yaml in {folders}; there is {available}.",
    hint: "{suggestion}`bridle config groups` lists what can be chosen.",
  },
  CONFIG_DEFAULTS_INVALID: {
    kind: "invalid",
    message: "{where}: the list of defaults is wrong: {problem}.",
    hint: "An entry is a file (base), an option of a group (model: pegasus-xsum) or _self_; see docs/guides/config.md.",
  },
  MULTIRUN_INVALID: {
    kind: "invalid",
    message: "These runs cannot be made: {problem}.",
    hint: "Give values with commas, such as -m train.seed=0,1,2; lists in brackets count as one value.",
  },
  MULTIRUN_CHANGED: {
    kind: "conflict",
    message: "{folder} holds the runs of {before}; these are {now}.",
    hint: "Give these runs a folder of their own: train.output=FOLDER.",
  },
  MULTIRUN_FAILED: {
    kind: "gate-failed",
    message: "{failed} of {runs} runs failed; the first: {first}",
    hint: "{record} has what each run came to; the same command again takes up those that are not done.",
  },
  SWEEP_INVALID: {
    kind: "invalid",
    message: "The sweep in {file} cannot be run: {problems}.",
    hint: "Correct the file; `bridle config keys` lists every key of params.yaml that a space may name.",
  },
  SWEEP_CONSTRAINT_INVALID: {
    kind: "invalid",
    message: "The constraint {constraint} cannot be used: {problem}.",
    hint: "Write it with keys of the space, numbers, texts in quotes, + - * / % **, comparisons, in [...], and, or, not.",
  },
  SWEEP_SPACE_EMPTY: {
    kind: "invalid",
    message: "Of {tried} combinations of the space none is allowed by the constraints.",
    hint: "Widen the space or take a constraint out; each must hold for every trial.",
  },
  SWEEP_SAMPLER_UNFIT: {
    kind: "invalid",
    message: "The {sampler} sampler cannot be used here: {problem}.",
    hint: "{advice} The samplers are grid, random, sobol and tpe.",
  },
  SWEEP_EXISTS: {
    kind: "conflict",
    message: "There is a sweep named {name} already.",
    hint: "Go on with it by --resume, or give this one another name: --name NAME.",
  },
  SWEEP_FOLDER_TAKEN: {
    kind: "conflict",
    message: "{folder} is not free for the trials of {name}: {found} is in it.",
    hint: "Losing trials are deleted from a sweep's folder, so it must be the sweep's own: name an empty one by --output, or go on with the sweep it belongs to by --resume.",
  },
  SWEEP_NOT_FOUND: {
    kind: "missing",
    message: "There is no sweep named {name} to go on with.",
    hint: "Run it without --resume, or name the database it was begun in: --db URL.",
  },
  SWEEP_NOT_RECORDED: {
    kind: "missing",
    message: "There is no sweep named {name}.",
    hint: "GET /v1/sweeps lists those there are; `bridle sweep FILE` makes one.",
  },
  SWEEP_CHANGED: {
    kind: "conflict",
    message: "The sweep {name} was begun with another file, other words or another params.yaml.",
    hint: "Undo the change to go on with it, or begin a new one: --name NAME.",
  },
  SWEEP_FAILED: {
    kind: "gate-failed",
    message: "None of the {trials} trials of {name} came to a result; the first: {first}",
    hint: "Train one by itself to see what is wrong: bridle train params.yaml with its parameters.",
  },
  TRIAL_LOST: {
    kind: "unavailable",
    message: "The process of trial {number} was lost: {told}.",
    hint: "Most often memory ran out: train with fewer --workers, or smaller train.microBatchTokens.",
  },
  TRIAL_TIMEOUT: {
    kind: "timeout",
    message: "Trial {number} was not done within {limitMs} ms; it had come to step {step}.",
    hint: "Raise trialTimeoutMs in the sweep's file, or take values out that make trials slow.",
  },
  TRIAL_HANGS: {
    kind: "timeout",
    message: "Trial {number} came no further for {limitMs} ms; it had come to step {step}.",
    hint: "Train it by itself to see where it hangs: bridle train params.yaml with its parameters.",
  },
  TRIAL_NOT_FINITE: {
    kind: "invalid",
    message: "The objective of trial {number} is {value} at step {step}.",
    hint: "Narrow the space where it diverges: lower rates, more warm-up steps, train.maxGradNorm.",
  },
  LOSS_NOT_FINITE: {
    kind: "invalid",
    message: "At step {step} the loss is {loss}: {what}.",
    hint: "Lower train.learningRate, lengthen the warm-up or set train.maxGradNorm; the last checkpoint is from before.",
  },
  CHECKPOINT_MISMATCH: {
    kind: "conflict",
    message: "The checkpoint {folder} cannot be gone on from: {reason}.",
    hint: "Give the run another train.output, or remove the folder to start anew.",
  },
  OUTPUT_IN_USE: {
    kind: "conflict",
    message: "Another trainer (process {pid}{where}) works on {folder}.",
    hint: "Wait until it is done, or give this run another train.output. One of another machine or container that was killed is known by its silence: try again five minutes after the first try.",
  },
  VERSION_NOT_FOUND: {
    kind: "missing",
    message: "{folder} holds no trained version: there is no bridle.json in it.",
    hint: "Give a folder that `bridle train` wrote, its bridle.json with it; the weights may be gone.",
  },
  REPRODUCE_INPUT_MISSING: {
    kind: "missing",
    message: "{file}, which the version was trained on, is not there (SHA-256 {sha256}).",
    hint: "Run it from the folder it was trained from, with the data in place: `bridle data pull` fetches what is versioned.",
  },
  REPRODUCE_INPUT_CHANGED: {
    kind: "conflict",
    message:
      "{what} is not what the version was trained with: its SHA-256 is {now}, recorded is {recorded}.",
    hint: "{restore}; from another the weights cannot be the same.",
  },
  REPRODUCE_NOTHING_RECORDED: {
    kind: "missing",
    message: "{folder} has neither weights nor their hashes in bridle.json to compare with.",
    hint: "Put the version's model.safetensors beside its bridle.json.",
  },
  NOT_REPRODUCED: {
    kind: "gate-failed",
    message: "The weights of {output} are not those of {version}: {files} differ. {facts}",
    hint: "Reproduce it with what differs as it was recorded; bridle.json in {version} has all of it.",
  },
  CONFIG_INVALID: {
    kind: "invalid",
    message: "{key} of config.json is {value}; it must be {expected}.",
    hint: "Correct config.json, or download the model again.",
  },
  WEIGHTS_CORRUPT: {
    kind: "invalid",
    message: "{file} is no valid weight file: {reason}.",
    hint: "Download it again; the file may have been cut off or changed.",
  },
  QUANTIZED_STALE: {
    kind: "conflict",
    message: "{file} was made from other weights ({made}) than lie beside it ({beside}).",
    hint: "Make it again: bridle quantize MODEL --output DIR; or remove it.",
  },
  INPUT_TOO_LONG: {
    kind: "too-large",
    message: "The input has {tokens} tokens; the model reads {limit}.",
    hint: "Truncate it, or summarize it in parts with createSummarizer().",
  },
  LOGITS_INVALID: {
    kind: "invalid",
    message: "The model answered {value} for row {row}.",
    hint: "Its weights may be damaged, or overflow in half precision; load it as fp32 or download it again.",
  },
  PROTOBUF_CORRUPT: {
    kind: "invalid",
    message: "This is no valid protobuf message: {reason} (at byte {offset}).",
    hint: "Download or write the file again; it may have been cut off or changed.",
  },
  TOKENIZER_INVALID: {
    kind: "invalid",
    message: "The tokenizer file {file} cannot be used: {reason}.",
    hint: "Download it again, or use a model whose tokenizer is SentencePiece Unigram (spiece.model or tokenizer.json).",
  },
  PICKLE_FORBIDDEN: {
    kind: "denied",
    message: "{file} asks to run {name}, which no weight file needs. Nothing was run.",
    hint: "Do not trust this file. Take the model's safetensors, or weights from another source.",
  },
  WEIGHT_UNEXPECTED: {
    kind: "invalid",
    message: "{file} holds the tensor {name}, which this model has no place for.",
    hint: "Its weights and config.json may belong to different models; download it again.",
  },
  WEIGHTS_NOT_FOUND: {
    kind: "missing",
    message: "{folder} has no weights: {looked} is not there.",
    hint: "Give a folder as save_pretrained() writes it, or download the model again.",
  },
  WEIGHTS_CHANGED: {
    kind: "conflict",
    message: "The weights in {folder} changed while they were being read.",
    hint: "Try again once they stay as they are. Replace a model's files by renaming a whole folder, so that nobody reads half of each.",
  },
  WEIGHTS_QUANTIZED: {
    kind: "missing",
    message: "{folder} holds its weights as {dtype} alone; this needs those they were made from.",
    hint: "Open it as it is (without --dtype, or --dtype {dtype}), or give the folder that it was made from.",
  },
  YAML_INVALID: {
    kind: "invalid",
    message: "{file} cannot be used: {reason}.",
    hint: "Correct it there and run the command again; `bridle config keys` lists every key of params.yaml.",
  },
  FILE_INVALID: {
    kind: "invalid",
    message: "{file} cannot be used: {reason}.",
    hint: "Correct the file, or download the model again.",
  },
  WRITE_FAILED: {
    kind: "unavailable",
    message: "{file} could not be written: {reason}.",
    hint: "Make room or give another folder, then try again; what was there before is unchanged.",
  },
  TOKENIZER_NOT_FOUND: {
    kind: "missing",
    message:
      "{folder} has neither spiece.model nor tokenizer.json, nor vocab.json with merges.txt.",
    hint: "Give a folder as save_pretrained() writes it for model and tokenizer, or download the model again.",
  },
  // Training a tokenizer.
  OUTPUT_EXISTS: {
    kind: "conflict",
    message: "{file} is there already.",
    hint: "Name another --output, or add --overwrite to replace it.",
  },
  OUTPUT_NOT_REPLACEABLE: {
    kind: "conflict",
    message: "{folder} is not replaced: {reason}.",
    hint: "Name a folder that is not there yet, or one with a model alone; if all of this one may go, delete it by hand first.",
  },
  CORPUS_EMPTY: {
    kind: "invalid",
    message: "There is nothing to learn a vocabulary from: {reason}.",
    hint: "Give files that hold text; `bridle tokenizer train --help` tells how columns are named.",
  },
  CORPUS_TOO_VARIED: {
    kind: "too-large",
    message: "After {sentences} sentences the different words take more than {limitMb} MB.",
    hint: "Train on a part of the sentences: --sample 1000000",
  },
  VOCABULARY_TOO_LARGE: {
    kind: "invalid",
    message:
      "The corpus gives a vocabulary of {largest} pieces, fewer than the {wanted} asked for.",
    hint: "Ask for no more: --vocab-size {largest}; or give more text.",
  },
  VOCABULARY_TOO_SMALL: {
    kind: "invalid",
    message:
      "A vocabulary of {wanted} pieces has no room for the {alphabet} characters of the corpus that it must hold and {reserved} reserved pieces.",
    hint: "Ask for more than {least} with --vocab-size, or let more rare characters go: --character-coverage below {coverage}.",
  },
  ARCHITECTURE_NOT_SUPPORTED: {
    kind: "invalid",
    message: "The model is a {architecture}, which is not supported.",
    hint: "Use a model of one of these: {supported}.",
  },
  WORKER_FAILED: {
    kind: "unavailable",
    message: "The model's thread stopped: {reason}.",
    hint: "Send it again: the model is loaded anew. If it happens again, give the process more memory or use a smaller model.",
  },
  RUN_MEMORY_SHORT: {
    kind: "unavailable",
    message: "There is not as much memory left as the model needs to compute.",
    hint: "Try again when less is under way, or with a shorter document at once; give the process more memory, or use a smaller --max-cache-bytes or model.",
  },
  CACHE_MEMORY_SHORT: {
    kind: "too-large",
    message: "The keys and values of this request take up to {needed}, and there is {room}.",
    hint: "Ask for fewer beams, a shorter summary or a shorter document at once; or raise --max-cache-bytes where the machine has the memory.",
  },
  // Training.
  TENSOR_TOO_LARGE: {
    kind: "too-large",
    message:
      "Training {name} takes {neededMb} MB for it, its gradient and its optimizer state; the limit is {limitMb} MB.",
    hint: "Keep it frozen, train it with LoRA, or use Adafactor, which keeps less state.",
  },
  MEMORY_EXHAUSTED: {
    kind: "unavailable",
    message:
      "Training takes {neededMb} MB for weights, gradients and optimizer state, which the system does not give: {reason}.",
    hint: "Use Adafactor or LoRA, which keep less state, a smaller model, or a machine with more memory.",
  },
  MASKS_TOO_LARGE: {
    kind: "too-large",
    message: "The dropout masks of one micro-batch take {neededMb} MB, {reason}.",
    hint: "Lower train.microBatchTokens, and raise train.accumulate for as many rows a step; or cut texts earlier (data.maxSourceTokens), or train without dropout (model.dropout=0 and its like).",
  },
  // Model packages.
  PACKAGE_INVALID: {
    kind: "invalid",
    message: "{where} is no model package: {reason}.",
    hint: "Export it again where it comes from: `bridle models export NAME:N FILE.tar`.",
  },
  PACKAGE_TOO_NEW: {
    kind: "invalid",
    message: "{where} is a model package of version {version}; this Bridle reads up to {newest}.",
    hint: "Update Bridle: `npm install bridle@latest`.",
  },
  PACKAGE_ALTERED: {
    kind: "unavailable",
    message: "{file} of the model package {package} is not what was packed: {reason}.",
    hint: "Nothing of it was used. Put the file back, or import the package again; `bridle doctor` names every file that is altered.",
  },
  PACKAGE_SOURCE_CHANGED: {
    kind: "conflict",
    message: "{file} changed while it was being packed.",
    hint: "Wait until whatever writes to that folder is done, and run it again.",
  },
  PACKAGE_PATH_UNFIT: {
    kind: "invalid",
    message: "{file} cannot go into a model package: its name is {reason}.",
    hint: "Rename it: letters, digits and . _ + - in names, at most 100 characters with its folders.",
  },
  ARCHIVE_INVALID: {
    kind: "invalid",
    message: "{file} cannot be imported: {reason}.",
    hint: "Import a file that `bridle models export` wrote, or a folder in Hugging Face layout.",
  },
  EVALUATION_INVALID: {
    kind: "invalid",
    message: "{where} is no evaluation: {reason}.",
    hint: "Write one with `bridle evaluate DATA --model MODEL --json > FILE`.",
  },
  ORIGIN_REFUSED: {
    kind: "denied",
    message: "The request was refused because {reason}.",
    hint: "Use this server's own page at its loopback address, or set BRIDLE_API_KEYS and show a key with the scope admin.",
  },
  CSRF_TOKEN_MISSING: {
    kind: "denied",
    message: "The header {header} does not hold this server's token.",
    hint: "Read csrfToken of GET /v1/session and send it as {header}; it is another after each start.",
  },
  // The registry of models.
  MODEL_NAME_INVALID: {
    kind: "invalid",
    message: "{name} is no {what}: {reason}.",
    hint: "Use small letters, digits and . _ -, such as news, news:3 or news@champion.",
  },
  MODEL_NAME_TOO_NARROW: {
    kind: "invalid",
    message: "{name} names {what}, where a model is asked for.",
    hint: "{next} docs/guides/registry.md says what names mean.",
  },
  MODEL_NOT_REGISTERED: {
    kind: "missing",
    message: "The registry {registry} has no model {model}.",
    hint: "It has: {available}. Add one with `bridle models add FOLDER --name {model}`.",
  },
  MODEL_VERSION_NOT_FOUND: {
    kind: "missing",
    message: "The model {model} has no {what}.",
    hint: "It has {available}; `bridle models show {model}` lists them.",
  },
  MODEL_VERSION_COLLECTED: {
    kind: "missing",
    message:
      "The files of version {version} of {model} were deleted by `bridle models gc` on {date}.",
    hint: "Add its package again from an export, or use a version that is there: `bridle models show {model}`.",
  },
  PROMOTION_CONFLICT: {
    kind: "conflict",
    message:
      "{model}@{alias} was moved to {actual} by {by} at {at}; {what} expected it at {expected}. It was not moved again.",
    hint: "See `bridle models history {model}`, and decide again.",
  },
  PROMOTION_GATES_FAILED: {
    kind: "gate-failed",
    message: "Version {version} of {model} does not pass the gates of {alias}: {failed}.",
    hint: "{next} To pass the gates over, say why: --force --reason TEXT.",
  },
  GATES_INVALID: {
    kind: "invalid",
    message: "{where} holds no gates: {reason}.",
    hint: "Gates are a mapping of {known}; see docs/guides/registry.md.",
  },
  ROLLBACK_IMPOSSIBLE: {
    kind: "conflict",
    message: "{model}@{alias} cannot be rolled back: {reason}.",
    hint: "Promote a version by its number: `bridle models promote {model}:N`.",
  },
  MODEL_MEMORY_SHORT: {
    kind: "unavailable",
    message:
      "Version {version} of {model} needs about {needed} of memory beside version {current}, and {free} can be had; version {current} goes on answering.",
    hint: "Give the process more memory, or start it anew: then one version is opened alone.",
  },
  PACKAGE_BEING_DELETED: {
    kind: "busy",
    message: "The package {digest} is being deleted by a gc that runs now.",
    hint: "Try again in {retryAfterS} s.",
  },
  // The hub of models, and its cache on disk.
  HUB_SETTING_INVALID: {
    kind: "invalid",
    message: "{name} is {value}; it must be {expected}.",
    hint: "Correct or unset {name}; `bridle doctor` tells what is set for the hub.",
  },
  HUB_UNREACHABLE: {
    kind: "unavailable",
    message: "{host} did not give {what}: {reason}.",
    hint: "Check the network, a proxy and HF_ENDPOINT, then try again; a model in the cache needs no network.",
  },
  HUB_BUSY: {
    kind: "busy",
    message: "{host} takes no more requests from here for now, and so did not give {what}.",
    hint: "Try again in {retryAfterS} s; with HF_TOKEN set the hub allows more.",
  },
  HUB_ANSWER_INVALID: {
    kind: "unavailable",
    message: "{host} does not answer as a hub does for {what}: {reason}.",
    hint: "Check HF_ENDPOINT, and whether a proxy or a login page answers in its place.",
  },
  HUB_REPO_NOT_FOUND: {
    kind: "missing",
    message: "{host} shows no model {repo} to {asker}, and there is no folder of that name here.",
    hint: "Check the name at {url}; for a private model set HF_TOKEN to a token that may read it.",
  },
  HUB_REVISION_NOT_FOUND: {
    kind: "missing",
    message: "The model {repo} has no revision {revision}.",
    hint: "See its branches and commits at {url}, and name one as {repo}@REVISION.",
  },
  HUB_ACCESS_DENIED: {
    kind: "denied",
    message: "The model {repo} is closed to {asker}: {reason}.",
    hint: "Where it is gated, accept its conditions at {url}; then set HF_TOKEN to a token that may read it.",
  },
  HUB_TOKEN_REFUSED: {
    kind: "unauthenticated",
    message: "{host} does not accept the token of {source}.",
    hint: "Make another at {url}, or unset it: a public model needs none.",
  },
  HUB_FILES_MISSING: {
    kind: "missing",
    message: "The model {repo} at {revision} has no {files}.",
    hint: "Choose a repository with {needed}; {url} lists its files.",
  },
  HUB_OFFLINE: {
    kind: "unavailable",
    message:
      "The model {repo} is not whole in {folder}: {missing} is not there, and offline mode is on.",
    hint: "Unset HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE once to download it, or copy the cache from where it is whole.",
  },
  HUB_DOWNLOAD_CUT: {
    kind: "unavailable",
    message: "The download of {file} of {repo} stopped at byte {offset} of {size}: {reason}.",
    hint: "Run it again: it goes on from that byte.",
  },
  HUB_HASH_MISMATCH: {
    kind: "unavailable",
    message:
      "{file} of {repo} came with the {algorithm} {actual} in place of {expected}; it was thrown away.",
    hint: "Run it again; if it happens again, something on the way changes files, or the repository is damaged.",
  },
  DISK_SPACE_SHORT: {
    kind: "unavailable",
    message: "{folder} has {free} free; {what} needs {needed}.",
    hint: "Make room, or set HF_HOME to a folder on a larger disk.",
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof codes;
