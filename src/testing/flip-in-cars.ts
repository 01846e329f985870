import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** For tests: flips one bit of each CAR of a local peer in which a text stands, at the first place. @param shards the directory of the CARs */
export function flipInCars(shards: string, text: string): void {
  for (const name of readdirSync(shards, { recursive: true }) as string[]) {
    if (!name.endsWith('.car')) continue;
    const car = readFileSync(join(shards, name));
    const at = car.indexOf(text);
    if (at < 0) continue;
    car[at] = (car[at] as number) ^ 1;
    writeFileSync(join(shards, name), car);
  }
}
