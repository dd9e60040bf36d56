// An address at which there is no page.
import { MapPinOff } from "lucide-react";
import { Link } from "./link.js";
import { PageFrame } from "./page-frame.js";
import { sections } from "./sections.js";
import { Empty } from "./states.js";

export function Nowhere({ path }: { readonly path: string }) {
  return (
    <PageFrame title="No such page">
      <Empty icon={MapPinOff} title="There is nothing at this address">
        <code>{path.slice(0, 120)}</code> is no page of this server. There{" "}
        {sections.length === 1 ? "is" : "are"}{" "}
        {sections.map(({ path: to, label }, index) => (
          <span key={to}>
            {index > 0 && (index === sections.length - 1 ? " and " : ", ")}
            <Link href={to}>{label}</Link>
          </span>
        ))}
        .
      </Empty>
    </PageFrame>
  );
}
