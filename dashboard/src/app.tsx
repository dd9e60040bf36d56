// The frame of every page: theme, toasts, key dialog, header, and the page that the address names.
import { AppShell, localStorageColorSchemeManager, MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { Activity, Suspense, useState } from "react";
import { FaultBoundary } from "./shell/fault-boundary.js";
import { Header } from "./shell/header.js";
import { KeyDialog } from "./shell/key-dialog.js";
import { Nowhere } from "./shell/nowhere.js";
import { findPage, Playground } from "./shell/pages.js";
import { usePath } from "./shell/router.js";
import { isPlayground } from "./shell/sections.js";
import { Waiting } from "./shell/states.js";
import { ServerContext, useServerWatch } from "./shell/use-server.js";
import { theme } from "./theme.js";

const schemes = localStorageColorSchemeManager({ key: "bridle.colorScheme" });

export function App() {
  const server = useServerWatch();
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" colorSchemeManager={schemes}>
      <Notifications position="top-center" limit={3} autoClose={4000} />
      <KeyDialog />
      <ServerContext value={server}>
        <AppShell header={{ height: 60 }} withBorder={false}>
          <Header />
          <AppShell.Main id="main" tabIndex={-1}>
            <Pages />
          </AppShell.Main>
        </AppShell>
      </ServerContext>
    </MantineProvider>
  );
}

function Pages() {
  const path = usePath();
  const isHere = isPlayground(path);
  const [wasHere, setWasHere] = useState(isHere);
  if (isHere && !wasHere) setWasHere(true);
  return (
    <>
      {wasHere && (
        <Activity mode={isHere ? "visible" : "hidden"}>
          <FaultBoundary>
            <Suspense fallback={<Waiting />}>
              <Playground />
            </Suspense>
          </FaultBoundary>
        </Activity>
      )}
      {!isHere && <OtherPage path={path} />}
    </>
  );
}

function OtherPage({ path }: { readonly path: string }) {
  const found = findPage(path);
  if (found === undefined) return <Nowhere path={path} />;
  const { element: Page, params } = found;
  return (
    // Another run, another page: nothing of the last one's state belongs to it.
    <FaultBoundary key={path}>
      <Suspense fallback={<Waiting lines={7} />}>
        <Page params={params} />
      </Suspense>
    </FaultBoundary>
  );
}
