DROP FUNCTION tenants_with_closing_partners();
DROP TABLE report_download, report_link, billing_report_file, bill_line, billing_report, lead_action, lead_user, partner,
           rate_plan_version, rate_plan, product;
DROP FUNCTION bill_line_is_frozen();
DROP FUNCTION billing_report_is_frozen();
