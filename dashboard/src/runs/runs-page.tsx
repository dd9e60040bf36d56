// All runs: found by conditions, sorted, shown in columns of one's choice, and chosen to be compared.
import { Button, Select } from "@mantine/core";
import { FlaskConical, GitCompareArrows, SearchX, X } from "lucide-react";
import { useCallback, useMemo } from "react";
import { listExperiments, type Run } from "../api/runs.js";
import { count, counted } from "../shell/figures.js";
import { PageFrame } from "../shell/page-frame.js";
import { go, useSearch } from "../shell/router.js";
import { useShortcuts } from "../shell/shortcuts.js";
import { Empty, Failed, Waiting } from "../shell/states.js";
import { useResource } from "../shell/use-resource.js";
import { columnOf, columnsOf, usualColumns } from "./columns.js";
import { ColumnsMenu } from "./columns-menu.js";
import { FilterBar } from "./filter-bar.js";
import classes from "./runs-page.module.css";
import { RunsTable } from "./runs-table.js";
import { useRunRows } from "./use-run-rows.js";

const mostCompared = 20;
const usualSort = "-started";

export default function RunsPage() {
  const { params, set } = useSearch();
  const filters = params.getAll("filter");
  const sort = params.get("sort") ?? usualSort;
  const experiment = params.get("experiment") ?? undefined;
  const chosen = params.getAll("run");
  const asked = experiment === undefined ? filters : [`experiment = "${experiment}"`, ...filters];
  const rows = useRunRows(asked, sort);
  const experiments = useResource("/v1/experiments", listExperiments);
  const { known } = rows;
  const fields = params.has("columns") ? params.getAll("columns") : usualColumns(known);
  const columns = fields.flatMap((field) => columnOf(field) ?? []);
  const all = useMemo(() => columnsOf(known), [known]);

  const choose = useCallback(
    (id: string) => {
      const next = chosen.includes(id) ? chosen.filter((each) => each !== id) : [...chosen, id];
      set({ run: next.slice(-mostCompared) });
    },
    [chosen, set],
  );
  const compare = () => {
    const search = new URLSearchParams(chosen.map((id) => ["run", id]));
    go(`/runs/compare?${search}`);
  };
  useShortcuts("Runs table", [
    { keys: ["c"], does: "Compare the chosen runs", run: () => chosen.length > 1 && compare() },
    { keys: ["x"], does: "Choose none", run: () => set({ run: undefined }) },
  ]);

  const isFiltered = asked.length > 0;
  return (
    <PageFrame
      title="Runs"
      isWide
      about={
        rows.total === undefined
          ? "What was trained, with what, and how it went."
          : `${counted(rows.total, "run")}${isFiltered ? " fit" : ""}`
      }
      actions={
        <>
          <Select
            aria-label="Experiment"
            placeholder="All experiments"
            data={(experiments.data ?? []).map(({ name, runs }) => ({
              value: name,
              label: `${name} (${count(runs)})`,
            }))}
            value={experiment ?? null}
            onChange={(value) => set({ experiment: value ?? undefined })}
            clearable
            searchable
            comboboxProps={{ portalProps: { target: "#main" } }}
          />
          <ColumnsMenu all={all} chosen={fields} onChoose={(next) => set({ columns: next })} />
        </>
      }
    >
      <FilterBar
        filters={filters}
        onFilters={(next) => set({ filter: next })}
        fields={all.map(({ field }) => field)}
        valuesOf={(field) => valuesOf(known, field)}
      />
      {rows.problem !== undefined && <Failed problem={rows.problem} onRetry={rows.reload} />}
      {rows.problem === undefined && rows.total === undefined && <Waiting lines={8} />}
      {rows.total === 0 && (isFiltered ? <NoneFits /> : <NoneYet />)}
      {rows.total !== undefined && rows.total > 0 && (
        <div className={classes.card} style={{ "--rows": rows.total } as React.CSSProperties}>
          <RunsTable
            total={rows.total}
            columns={columns}
            runAt={rows.runAt}
            need={rows.need}
            sort={sort}
            onSort={(next) => set({ sort: next === usualSort ? undefined : next })}
            chosen={chosen}
            onChoose={choose}
          />
        </div>
      )}
      {chosen.length > 0 && (
        <section className={classes.chosen} aria-label="Chosen runs">
          <span>{counted(chosen.length, "run")} chosen</span>
          <Button
            leftSection={<GitCompareArrows size={16} />}
            onClick={compare}
            {...(chosen.length < 2 && { "data-disabled": true })}
            aria-disabled={chosen.length < 2}
          >
            {chosen.length < 2 ? "Choose another" : "Compare"}
          </Button>
          <Button
            variant="subtle"
            color="gray"
            aria-label="Choose none"
            onClick={() => set({ run: undefined })}
          >
            <X size={16} aria-hidden />
          </Button>
        </section>
      )}
    </PageFrame>
  );
}

function NoneYet() {
  return (
    <Empty
      icon={FlaskConical}
      title="No run has been recorded here yet"
      commands={["bridle train params.yaml"]}
    >
      Every training is recorded by itself: its curves, parameters, code and machine. It appears
      here as soon as it begins, if it is started in the folder that this server was started in.
    </Empty>
  );
}

function NoneFits() {
  return (
    <Empty icon={SearchX} title="No run fits all of these conditions">
      Take one of them away. A condition is a field, a comparison and a value:{" "}
      <code>status = running</code>, <code>params.train.seed = 7</code>,{" "}
      <code>metrics.eval/loss &lt; 2</code>, <code>name ~ base</code>.
    </Empty>
  );
}

/** What the runs that have come have in a field, each once. */
function valuesOf(runs: readonly Run[], field: string): readonly string[] {
  const column = columnOf(field);
  if (column === undefined || field === "started" || field === "duration") return [];
  const [kind = "", ...rest] = field.split(".");
  const read = (run: Run) =>
    kind === "params" ? (run.params[rest.join(".")] ?? "") : column.text(run, Date.now());
  return [...new Set(runs.map(read))].filter((text) => text !== "").sort();
}
