package auth

import (
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// Row says who may call a method, and what of its request must be within the subtree
// of a caller that has one.
type Row struct {
	Roles []Role
	Asks  []Ask // of the request
	// Shown are places of the response: what is outside is left out of it.
	Shown *Ask
	// Whole demands of callers with a subtree that it be all there is.
	Whole bool
	// Load is how expensive a call is, where the field LoadWhere is set, if it names one.
	Load      Load
	LoadWhere string
	// Writes says that the method changes something: then no field may be unknown, whose
	// meaning a newer caller would lose in silence.
	Writes bool
}

// Ask names the fields, by paths such as `key.unit`, that make a Place. An empty path
// leaves the place's own field empty.
type Ask struct {
	Where        string // nothing is asked where this field is not set
	Each         string // a repeated field: each of its elements is asked about; paths are within it
	EachAlone    string // the field that says whether the elements stand each for itself
	Programme    string // a field of the request, also where Each is set
	Target       string
	Unit         string
	Period       string
	Until        string
	Date         string
	Known        string // a time: it stands for its day where no period or date is named
	Submission   string
	Event        string
	Finding      string
	Subscription string
	Allocation   string // the name of an allocation; of other names nothing is asked
	Subjects     string // filters of events
}

var (
	anyone     = []Role{Admin, Unit, Monitor, Reader, Subscriber, Service}
	readers    = []Role{Admin, Unit, Monitor, Reader}
	listeners  = []Role{Admin, Unit, Monitor, Reader, Subscriber}
	followers  = []Role{Admin, Unit, Monitor, Subscriber}
	reviewers  = []Role{Admin, Monitor}
	onlyAdmin  = []Role{Admin}
	onlyUnits  = []Role{Unit}
	keepsOrder = []Role{Admin, Unit, Monitor}
)

// Table is who may do what: one row for every method that a server of ours serves, by
// full name. What has no row is denied to all.
func Table() map[string]Row {
	t := make(map[string]Row, 80)
	for _, rows := range []map[string]Row{submitRows(), figureRows(), monitoringRows(), eventRows(), registryRows(), adminRows()} {
		for method, row := range rows {
			t[method] = row
		}
	}
	return t
}

// root asks for the whole programme.
func root() []Ask { return []Ask{{Programme: "programme"}} }

// figure asks for the unit of a FigureKey or CellKey.
func figure() []Ask {
	return []Ask{{Programme: "key.programme", Target: "key.target", Unit: "key.unit", Period: "key.period",
		Date: "key.as_of_date", Known: "key.known_at"}}
}

func cell() []Ask {
	return []Ask{{Programme: "key.programme", Target: "key.target", Unit: "key.unit", Period: "key.period"}}
}

func submitRows() map[string]Row {
	return writing(map[string]Row{
		// Its figures go up to the root, which is seldom the caller's.
		reportingv1.ReportingService_Submit_FullMethodName: {Roles: onlyUnits, Asks: []Ask{{Programme: "programme",
			Target: "submission.target", Unit: "submission.unit", Period: "submission.period"}}, Shown: &Ask{
			Each: "figures", Programme: "programme", Target: "target", Unit: "unit", Period: "period"}},
		reportingv1.ReportingService_SubmitBatch_FullMethodName: {Roles: onlyUnits, Asks: []Ask{{Each: "items", EachAlone: "mode",
			Programme: "programme", Target: "submission.target", Unit: "submission.unit", Period: "submission.period"}}},
		reportingv1.ReviewService_ReviewCompletion_FullMethodName: {Roles: reviewers, Asks: []Ask{
			{Programme: "programme", Target: "task", Unit: "unit", Period: "period"}, {Unit: "reviewer"}}},
		reportingv1.ReviewService_GrantException_FullMethodName: {Roles: reviewers, Asks: []Ask{
			{Programme: "programme", Target: "target", Unit: "unit", Period: "period"}, {Unit: "granted_by"}}},
		reportingv1.ReviewService_ResolveFinding_FullMethodName: {Roles: keepsOrder, Asks: []Ask{
			{Programme: "programme", Finding: "finding"}, {Unit: "resolved_by"}}},
		reportingv1.ReviewService_PublishClosing_FullMethodName: {Roles: reviewers, Asks: root(), Load: Heavy},
	})
}

// writing marks the rows of methods that change something.
func writing(rows map[string]Row) map[string]Row {
	for method, row := range rows {
		row.Writes = true
		rows[method] = row
	}
	return rows
}

func figureRows() map[string]Row {
	dates := []Ask{{Each: "dates", Unit: "key.unit"}} // its key may name no other
	return map[string]Row{
		reportingv1.ProgressService_GetFigure_FullMethodName:    {Roles: readers, Asks: figure()},
		reportingv1.ProgressService_ListFigures_FullMethodName:  {Roles: readers, Asks: figure()},
		reportingv1.ProgressService_CountByKind_FullMethodName:  {Roles: readers, Asks: figure()},
		reportingv1.ProgressService_CountTasks_FullMethodName:   {Roles: readers, Asks: root()},
		reportingv1.ProgressService_CompareDates_FullMethodName: {Roles: readers, Load: Heavy, Asks: dates},
		// Without a period, its handler demands that of each list of items.
		reportingv1.ProgressService_UnionItems_FullMethodName: {Roles: readers, Load: Heavy, Asks: []Ask{
			{Programme: "programme", Unit: "unit", Period: "period"}}},
		reportingv1.ProgressService_ListCellHistory_FullMethodName: {Roles: readers, Asks: cell()},
		reportingv1.ProgressService_ListItems_FullMethodName:       {Roles: readers, Asks: cell()},
		reportingv1.ProgressService_GetReceipt_FullMethodName: {Roles: readers, Load: Heavy, LoadWhere: "key", Asks: []Ask{
			{Where: "sequence", Submission: "sequence"},
			{Where: "key", Programme: "key.programme", Target: "key.target", Unit: "key.unit", Period: "key.period"}}},
		reportingv1.ProgressService_Explain_FullMethodName: {Roles: readers, Asks: figure(), Load: Heavy},
	}
}

func monitoringRows() map[string]Row {
	units := []Ask{{Programme: "programme", Target: "target", Unit: "unit", Period: "period", Known: "known_at"}}
	return map[string]Row{
		reportingv1.MonitoringService_ListObligations_FullMethodName:  {Roles: readers, Asks: units},
		reportingv1.MonitoringService_CountObligations_FullMethodName: {Roles: readers, Asks: units},
		// Who stands below whom is the tree of today, or of when it was known, whatever the
		// day asked for.
		reportingv1.MonitoringService_GetTimeliness_FullMethodName: {Roles: readers, Asks: []Ask{
			{Programme: "programme", Unit: "unit", Known: "known_at"},
			{Programme: "programme", Unit: "unit", Date: "as_of_date", Known: "known_at"}}},
		reportingv1.MonitoringService_GetQuality_FullMethodName: {Roles: readers, Load: Heavy, Asks: []Ask{
			{Programme: "programme", Target: "regime", Unit: "unit", Period: "from_period", Until: "to_period"}}},
		reportingv1.MonitoringService_ListFindings_FullMethodName: {Roles: readers, Asks: []Ask{
			{Programme: "programme", Unit: "unit"}}, Shown: &Ask{
			Each: "findings", Programme: "programme", Target: "target", Unit: "unit", Period: "period"}},
		reportingv1.MonitoringService_Rank_FullMethodName: {Roles: readers, Load: Heavy, Asks: []Ask{
			{Programme: "programme", Unit: "unit", Period: "period", Known: "known_at"}, {Where: "compare_period", Programme: "programme", Unit: "unit", Period: "compare_period"}}},
		reportingv1.MonitoringService_GetClosing_FullMethodName:    {Roles: readers, Asks: root()},
		reportingv1.MonitoringService_ListClosings_FullMethodName:  {Roles: readers, Asks: root()},
		reportingv1.MonitoringService_ExportClosing_FullMethodName: {Roles: readers, Asks: root()},
	}
}

func eventRows() map[string]Row {
	own := []Ask{{Subscription: "subscription"}}
	return map[string]Row{
		// Its handler leaves out what is outside: see Sees.
		reportingv1.EventService_ListEvents_FullMethodName: {Roles: listeners, Load: Heavy},
		reportingv1.EventService_EnsureSubscription_FullMethodName: {Roles: followers, Writes: true, Asks: []Ask{
			{Subscription: "subscription"}, {Subjects: "subjects"}}},
		reportingv1.EventService_ListSubscriptions_FullMethodName: {Roles: followers, Shown: &Ask{
			Each: "subscriptions", Subscription: "subscription"}},
		reportingv1.EventService_DeleteSubscription_FullMethodName: {Roles: followers, Writes: true, Asks: own},
		reportingv1.EventService_PutDeadLetter_FullMethodName: {Roles: followers, Writes: true, Asks: []Ask{
			{Subscription: "subscription"}, {Event: "sequence"}}},
		reportingv1.EventService_ListDeadLetters_FullMethodName: {Roles: followers, Asks: own},
	}
}

// registryRows: what is owed may be read by every identity, but how much a single unit
// was given only by that unit and those above it. A watch and the history of an
// allocation tell that, too.
func registryRows() map[string]Row {
	return map[string]Row{
		registryv1.RegistryService_GetProgramme_FullMethodName:   {Roles: anyone},
		registryv1.RegistryService_ListProgrammes_FullMethodName: {Roles: anyone},
		registryv1.RegistryService_GetUnit_FullMethodName:        {Roles: anyone},
		registryv1.RegistryService_ListUnits_FullMethodName:      {Roles: anyone},
		registryv1.RegistryService_GetTask_FullMethodName:        {Roles: anyone},
		registryv1.RegistryService_ListTasks_FullMethodName:      {Roles: anyone},
		registryv1.RegistryService_GetTarget_FullMethodName:      {Roles: anyone},
		registryv1.RegistryService_ListTargets_FullMethodName:    {Roles: anyone},
		registryv1.RegistryService_GetAllocation_FullMethodName:  {Roles: anyone, Asks: []Ask{{Allocation: "name"}}},
		registryv1.RegistryService_ListAllocations_FullMethodName: {Roles: anyone, Shown: &Ask{
			Each: "allocations", Allocation: "name"}},
		registryv1.RegistryService_GetCalendar_FullMethodName:   {Roles: anyone},
		registryv1.RegistryService_ListCalendars_FullMethodName: {Roles: anyone},
		registryv1.RegistryService_GetRegime_FullMethodName:     {Roles: anyone},
		registryv1.RegistryService_ListRegimes_FullMethodName:   {Roles: anyone},
		registryv1.RegistryService_ListRevisions_FullMethodName: {Roles: anyone, Asks: []Ask{{Allocation: "name"}}},
		registryv1.RegistryService_WatchRegistry_FullMethodName: {Roles: anyone, Whole: true},
	}
}

func adminRows() map[string]Row {
	t := map[string]Row{
		"/grpc.health.v1.Health/Check":                                   {Roles: anyone},
		"/grpc.health.v1.Health/List":                                    {Roles: anyone},
		"/grpc.health.v1.Health/Watch":                                   {Roles: anyone},
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      {Roles: onlyAdmin},
		"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": {Roles: onlyAdmin},
	}
	for _, method := range []string{
		reportingv1.ReportingAdminService_SetClock_FullMethodName,
		reportingv1.ReportingAdminService_GetStatus_FullMethodName,
		reportingv1.ReportingAdminService_Verify_FullMethodName,
		reportingv1.ReportingAdminService_DeclareEpoch_FullMethodName,
		reportingv1.ReportingAdminService_RaiseLevel_FullMethodName,
		registryv1.RegistryAdminService_CreateProgramme_FullMethodName,
		registryv1.RegistryAdminService_UpdateProgramme_FullMethodName,
		registryv1.RegistryAdminService_CreateUnit_FullMethodName,
		registryv1.RegistryAdminService_UpdateUnit_FullMethodName,
		registryv1.RegistryAdminService_CreateTask_FullMethodName,
		registryv1.RegistryAdminService_UpdateTask_FullMethodName,
		registryv1.RegistryAdminService_CreateTarget_FullMethodName,
		registryv1.RegistryAdminService_UpdateTarget_FullMethodName,
		registryv1.RegistryAdminService_CreateAllocation_FullMethodName,
		registryv1.RegistryAdminService_UpdateAllocation_FullMethodName,
		registryv1.RegistryAdminService_CreateCalendar_FullMethodName,
		registryv1.RegistryAdminService_UpdateCalendar_FullMethodName,
		registryv1.RegistryAdminService_CreateRegime_FullMethodName,
		registryv1.RegistryAdminService_UpdateRegime_FullMethodName,
		registryv1.RegistryAdminService_BatchWrite_FullMethodName,
		registryv1.RegistryAdminService_RaiseLevel_FullMethodName,
	} {
		t[method] = Row{Roles: onlyAdmin, Writes: true}
	}
	return t
}
