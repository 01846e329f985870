/** The home that tests mark shards for, where it does not matter which. */
import type { Owner } from '../core/model.ts';

export const TEST_OWNER: Owner = { id: '0123456789ab', host: 'test', path: '/test/home' };

/** Another home that uses the same peers. */
export const OTHER_OWNER: Owner = { id: 'ba9876543210', host: 'test', path: '/test/other' };
