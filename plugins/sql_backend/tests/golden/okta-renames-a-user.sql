BEGIN;
UPDATE applied SET version = 2 WHERE organization = 'acme' AND resource = '5d1c0f9e-6f5f-4c3b-9a51-2f3c8a1e0a01' AND version = 1;
UPDATE users SET version = 2, user_name = 'ann.baker@example.com', display_name = 'Ann Baker', family_name = 'Baker', email = 'ann.baker@example.com', document = '{"active":true,"displayName":"Ann Baker","emails":[{"primary":true,"type":"work","value":"ann.baker@example.com"}],"externalId":"00ujl29u0le5T6Aj10h7","locale":"en-US","name":{"familyName":"Baker","givenName":"Ann"},"userName":"ann.baker@example.com"}' WHERE organization = 'acme' AND id = '5d1c0f9e-6f5f-4c3b-9a51-2f3c8a1e0a01';
COMMIT;
