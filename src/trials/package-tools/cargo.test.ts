import { cargo } from '../../testing/package-tools/tools/cargo.ts';
import { trialsOf } from '../../testing/package-tools/trials-of.ts';

trialsOf(cargo);
