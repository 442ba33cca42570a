DROP VIEW report_refusal, report_clock, report_lead;
DROP FUNCTION tenants_with_open_cases();
DROP FUNCTION tenants_with_due_clocks(timestamptz);
DROP TABLE sla_booking_event, sla_booking, sla_slot, sla_case, sla_setting, sla_clock, sla_policy_version, sla_policy, sla_calendar;
