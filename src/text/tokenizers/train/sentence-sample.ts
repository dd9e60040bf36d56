// Draws so many sentences of a stream, every one equally likely, without knowing how many will come.
import { seededRandom } from "../../seeded-random.js";

/** Source: Vitter 1985, algorithm R. */
export class SentenceSample {
  readonly sentences: Uint8Array[] = [];
  /** Sentences offered so far. */
  offered = 0;
  private readonly size: number;
  private readonly random: ReturnType<typeof seededRandom>;

  /** @throws INVALID_PARAMETER for a seed that is no whole number of 0 to 2^53−1 */
  constructor(size: number, seed: number) {
    this.size = size;
    this.random = seededRandom(seed);
  }

  /** Offers a sentence, which is copied when it is drawn. */
  offer(sentence: Uint8Array): void {
    this.offered++;
    if (this.sentences.length < this.size) {
      this.sentences.push(Uint8Array.from(sentence));
      return;
    }
    const place = this.random.nextBelow(this.offered);
    if (place < this.size) this.sentences[place] = Uint8Array.from(sentence);
  }
}
