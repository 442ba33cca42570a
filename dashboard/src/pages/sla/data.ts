import { graphql } from '../../gql';

export const SlaTotalsDocument = graphql(`
  query SlaTotals($since: DateTime!, $filter: SlaFilter) {
    slaAdherence(since: $since, filter: $filter) {
      total { total met missed open share p50Seconds p90Seconds p95Seconds worstSeconds }
      before { total share p50Seconds p95Seconds }
    }
  }
`);

export const SlaTrendDocument = graphql(`
  query SlaTrend($since: DateTime!, $filter: SlaFilter, $bucket: SlaBucket!) {
    slaAdherence(since: $since, filter: $filter, bucket: $bucket) {
      rows { since until figures { total met missed share p50Seconds p95Seconds } }
    }
  }
`);

export const SlaByDocument = graphql(`
  query SlaBy($since: DateTime!, $filter: SlaFilter, $dimension: SlaDimension!, $compared: Boolean!) {
    slaAdherence(since: $since, filter: $filter, dimension: $dimension) {
      rows {
        key label figures { total met missed open share p50Seconds p95Seconds worstSeconds }
        before @include(if: $compared) { total share }
      }
    }
  }
`);

export const SlaOpenDocument = graphql(`
  query SlaOpen($first: Int!, $standing: SlaStanding, $filter: SlaFilter) {
    slaOpenClocks(first: $first, standing: $standing, filter: $filter) {
      leadId clock dueAt atRiskAt startedAt standing pauseReason
      lead { id firstName lastName }
      source { id name }
    }
  }
`);

export const SlaBreachesDocument = graphql(`
  query SlaBreaches($since: DateTime!, $filter: SlaFilter) {
    slaBreaches(since: $since, first: 25, filter: $filter) {
      leadId clock breachedAt stoppedAt elapsedSeconds reason agent
      lead { id firstName lastName }
      source { id name }
    }
  }
`);

export const SlaHeatDocument = graphql(`
  query SlaHeat($since: DateTime!, $filter: SlaFilter) {
    slaHeatMap(since: $since, filter: $filter) { weekday hour total met missed }
  }
`);

export const SlaSourcesDocument = graphql(`
  query SlaSources($since: DateTime!, $filter: SlaFilter) {
    slaSources(since: $since, filter: $filter) {
      source { id name } received accepted refused delivered contacted sold refusals { code count }
      costs { currency amount } revenues { currency amount }
      before { received accepted delivered contacted sold costs { currency amount } revenues { currency amount } }
    }
  }
`);

export const SlaPerformanceDocument = graphql(`
  query SlaPerformance($since: DateTime!, $teams: Boolean!, $filter: SlaFilter) {
    slaPerformance(since: $since, teams: $teams, filter: $filter) {
      name sold figures { total met missed share p50Seconds p95Seconds }
      before { sold figures { total share } }
    }
  }
`);

export const SlaChoicesDocument = graphql(`
  query SlaChoices {
    slaChoices { clocks leadTypes states campaigns agents teams }
    sources { id name }
    destinations { id name }
  }
`);

export const SlaChangesDocument = graphql(`
  subscription SlaChanges($filter: SlaFilter) {
    slaChanges(filter: $filter) { at running atRisk overdue paused openCases }
  }
`);

export const SlaExecutiveDocument = graphql(`
  query SlaExecutive($since: DateTime!, $processing: SlaFilter, $response: SlaFilter, $every: SlaFilter, $filter: SlaFilter) {
    processing: slaAdherence(since: $since, filter: $processing) { total { share total p50Seconds } before { share total } }
    response: slaAdherence(since: $since, filter: $response) { total { share total p50Seconds } before { share total } }
    slaSources(since: $since, filter: $filter) {
      received accepted sold costs { currency amount } revenues { currency amount }
      before { received accepted sold costs { currency amount } revenues { currency amount } }
    }
    slaProblems(since: $since, filter: $every) { reason clocks }
  }
`);

export const SourceCostsDocument = graphql(`
  query SourceCosts { sources { id name } sourceCosts { source effectiveFrom perLead { currency amount } } }
`);

export const SetSourceCostDocument = graphql(`
  mutation SetSourceCost($input: SetSourceCostInput!) { setSourceCost(input: $input) { cost { source } error { field code message } } }
`);
