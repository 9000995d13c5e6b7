BEGIN;
UPDATE applied SET version = 3 WHERE organization = 'acme' AND resource = 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003' AND version = 2;
UPDATE groups SET version = 3 WHERE organization = 'acme' AND id = 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003';
DELETE FROM members WHERE organization = 'acme' AND group_id = 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003' AND member_id IN ('8b6e2a40-1f0d-4e0c-8a43-77d0b6c4b002');
COMMIT;
