// The frame of every page: theme, toasts, key dialog, header, and the page itself.
import { AppShell, localStorageColorSchemeManager, MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { Header } from "./shell/header.js";
import { KeyDialog } from "./shell/key-dialog.js";
import { currentPage } from "./shell/pages.js";
import { ServerContext, useServerWatch } from "./shell/use-server.js";
import { theme } from "./theme.js";

const schemes = localStorageColorSchemeManager({ key: "bridle.colorScheme" });

export function App() {
  const { element: Page } = currentPage();
  const server = useServerWatch();
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" colorSchemeManager={schemes}>
      <Notifications position="top-center" limit={3} autoClose={4000} />
      <KeyDialog />
      <ServerContext value={server}>
        <AppShell header={{ height: 60 }} withBorder={false}>
          <Header />
          <AppShell.Main id="main" tabIndex={-1}>
            <Page />
          </AppShell.Main>
        </AppShell>
      </ServerContext>
    </MantineProvider>
  );
}
