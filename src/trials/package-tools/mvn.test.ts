import { mvn } from '../../testing/package-tools/tools/mvn.ts';
import { trialsOf } from '../../testing/package-tools/trials-of.ts';

trialsOf(mvn);
