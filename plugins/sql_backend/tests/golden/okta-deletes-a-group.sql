BEGIN;
UPDATE applied SET version = 2 WHERE organization = 'acme' AND resource = 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003' AND version = 1;
DELETE FROM members WHERE organization = 'acme' AND group_id = 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003';
DELETE FROM groups WHERE organization = 'acme' AND id = 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003';
COMMIT;
