BEGIN;
UPDATE applied SET version = 3 WHERE organization = 'acme' AND resource = '5d1c0f9e-6f5f-4c3b-9a51-2f3c8a1e0a01' AND version = 2;
DELETE FROM users WHERE organization = 'acme' AND id = '5d1c0f9e-6f5f-4c3b-9a51-2f3c8a1e0a01';
COMMIT;
BEGIN;
UPDATE applied SET version = 2 WHERE organization = 'acme' AND resource = 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003' AND version = 1;
UPDATE groups SET version = 2 WHERE organization = 'acme' AND id = 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003';
DELETE FROM members WHERE organization = 'acme' AND group_id = 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003' AND member_id IN ('5d1c0f9e-6f5f-4c3b-9a51-2f3c8a1e0a01');
COMMIT;
