package schemas

// maxSteps bounds one validation. A step is about a microsecond of the
// validator's work, and ten when it fails and words an error.
const maxSteps = 25_000

// meter walks schema and instance together as a validator would, and counts the
// steps without doing them. It stops when the budget is used up, so it costs a
// small fraction of what it refuses.
type meter struct{ left int }

func (m *meter) spend(n int) bool {
	m.left -= n
	return m.left >= 0
}

// run says whether validating v against s stays within the budget.
func (m *meter) run(s *shape, v any) bool {
	if !m.spend(1) {
		return false
	}
	for _, sub := range s.here() {
		if !m.run(sub, v) {
			return false
		}
	}
	if s.ref != nil {
		return true
	}
	if s.choices != nil && !(m.spend(len(s.choices)/8) && m.weigh(v)) {
		return false
	}
	switch v := v.(type) {
	case string:
		return m.spend(len(v)*s.pattern/16 + len(v)/256)
	case []any:
		return m.array(s, v)
	case map[string]any:
		return m.object(s, v)
	}
	return true
}

// weigh spends for a value that is marshalled as a whole.
func (m *meter) weigh(v any) bool {
	switch v := v.(type) {
	case string:
		return m.spend(1 + len(v)/64)
	case []any:
		for _, item := range v {
			if !m.weigh(item) {
				return false
			}
		}
	case map[string]any:
		for _, item := range v {
			if !m.weigh(item) {
				return false
			}
		}
	}
	return m.spend(1)
}

func (m *meter) array(s *shape, v []any) bool {
	if s.unique && !m.weigh(v) {
		return false
	}
	for i, item := range v {
		sub := s.items
		if s.tuple != nil {
			sub = s.extra
			if i < len(s.tuple) {
				sub = s.tuple[i]
			}
		}
		if sub != nil && !m.run(sub, item) {
			return false
		}
		if s.contains != nil && !m.run(s.contains, item) {
			return false
		}
		if !m.each(s.others, item) {
			return false
		}
	}
	return true
}

func (m *meter) object(s *shape, v map[string]any) bool {
	if !m.spend(len(v) * len(s.props) / 32) {
		return false
	}
	for key, item := range v {
		sub, described := s.props[key]
		if described && !m.run(sub, item) {
			return false
		}
		for _, p := range s.patterns { // the validator compiles each pattern for each key
			if !m.spend(15 + p.cost + len(key)*p.cost/16) {
				return false
			}
			if p.re.MatchString(key) {
				described = true
				if !m.run(p.shape, item) {
					return false
				}
			}
		}
		if !m.each(s.others, item) {
			return false
		}
		if !described && s.rest != nil && !m.run(s.rest, item) {
			return false
		}
		if s.names != nil && !m.run(s.names, key) {
			return false
		}
	}
	return true
}

func (m *meter) each(subs []*shape, v any) bool {
	for _, sub := range subs {
		if !m.run(sub, v) {
			return false
		}
	}
	return true
}
