import { npm } from '../../testing/package-tools/tools/npm.ts';
import { trialsOf } from '../../testing/package-tools/trials-of.ts';

trialsOf(npm);
