// Which of the models served writes a summary, with what each of them is.
import { Button, Menu } from "@mantine/core";
import { ChevronDown } from "lucide-react";
import { shortName } from "../api/model-name.js";
import type { Model } from "../api/types.js";
import { menuProps } from "../shell/floating.js";
import classes from "./model-picker.module.css";
import { describeModel } from "./settings.js";

export function ModelPicker({
  models,
  model,
  onPick,
}: {
  readonly models: readonly Model[];
  readonly model: Model;
  readonly onPick: (name: string) => void;
}) {
  return (
    <Menu {...menuProps} position="bottom-start" width={340}>
      <Menu.Target>
        <Button
          className={classes.target}
          variant="default"
          size="compact-md"
          aria-label={`Model: ${shortName(model.name)}`}
          title={model.name}
          rightSection={<ChevronDown size={15} />}
        >
          <span className={classes.picked}>{shortName(model.name)}</span>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.RadioGroup value={model.name} onChange={onPick}>
          {models.map((each) => (
            <Menu.RadioItem key={each.name} value={each.name} closeMenuOnClick>
              <span className={classes.name}>
                {shortName(each.name)} <span className={classes.version}>{each.version}</span>
              </span>
              <span className={classes.about}>{describeModel(each)}</span>
              {shortName(each.name) !== each.name && (
                <span className={classes.path}>{each.name}</span>
              )}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
      </Menu.Dropdown>
    </Menu>
  );
}
