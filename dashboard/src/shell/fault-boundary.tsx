// Holds a fault of one page, so that the frame around it stays and says what to do.
import { Button } from "@mantine/core";
import { RotateCw, Unplug } from "lucide-react";
import { Component, type ReactNode } from "react";
import { Empty } from "./states.js";

interface Props {
  readonly children: ReactNode;
}

/** A page's code that did not come: a server that was updated meanwhile has other files than this page was built with. */
export function isFetchFault(thrown: unknown): boolean {
  const fault = /dynamically imported module|Importing a module script|preload CSS/i;
  return thrown instanceof Error && fault.test(thrown.message);
}

export class FaultBoundary extends Component<Props, { fault: Error | undefined }> {
  override state: { fault: Error | undefined } = { fault: undefined };

  static getDerivedStateFromError(thrown: unknown) {
    return { fault: thrown instanceof Error ? thrown : new Error(String(thrown)) };
  }

  override render(): ReactNode {
    const { fault } = this.state;
    if (fault === undefined) return this.props.children;
    const isOld = isFetchFault(fault);
    return (
      <Empty
        icon={Unplug}
        title={isOld ? "This page could not be fetched" : "This page has a fault"}
        action={
          <Button
            leftSection={<RotateCw size={16} />}
            onClick={() => window.location.reload()}
            variant="default"
          >
            Reload
          </Button>
        }
      >
        {isOld
          ? "The server is gone, or it was updated since the page was opened."
          : fault.message.slice(0, 300)}
      </Empty>
    );
  }
}
