// Plain sentences of several kinds, on which a model's layers are measured when nobody gives documents of their own.

export const calibrationTexts: readonly string[] = [
  "The council voted on Tuesday to close the old bridge for nine weeks while its cables are replaced. Buses will take " +
    "the northern road, and the ferry will run every twenty minutes from six in the morning. Shopkeepers on the east " +
    "bank, who lost a fifth of their customers during the works of 2019, asked for lower rents; the mayor said that the " +
    "city would decide in March.",
  "We study how the depth of a decoder changes the quality of generated text when the encoder stays the same. On three " +
    "datasets of 12,000 to 310,000 documents a decoder of four layers loses 0.4 points against one of sixteen and " +
    "writes 2.7 times as many tokens a second. The loss grows with the length of the output. Code and figures are in " +
    "the appendix.",
  "Hi Martha, thanks for sending the draft. I read it on the train: the first part is fine, but the table on page 4 " +
    "does not match the numbers you gave in the call (was it 37 or 73?). Could you check with Ola and send a new " +
    "version before Thursday, 10:30? I would rather not move the meeting again. Best, Jonas",
  "To install the filter, first turn off the water. Unscrew the lower ring by hand; do not use a wrench. Put the new " +
    "cartridge in with the arrow pointing up, grease the seal, and close the ring until it stops. Open the valve slowly " +
    "and let the water run for two minutes. If the seal drips, take it apart, clean both faces and begin again.",
];
