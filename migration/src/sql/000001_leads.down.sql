DROP FUNCTION tenants_with_waiting_imports(timestamptz);
DROP FUNCTION tenants_with_due_deliveries(timestamptz);
DROP FUNCTION tenant_of_slug(text);
DROP TABLE delivery_attempt, delivery, destination, idempotency, failed_record, lead_event, lead, import_batch, import, lead_source, tenant;
