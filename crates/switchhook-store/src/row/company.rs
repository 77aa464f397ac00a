//! A company as a row.

use switchhook_domain::company::Company;
use switchhook_domain::id::CompanyId;

use super::{Columns, Row};
use crate::error::StoreError;

/// Columns for [`read`].
macro_rules! company_columns {
    () => {
        "id, name, drop_payloads, created_at"
    };
}
pub(crate) use company_columns;

pub(crate) fn read(row: &Row<'_>) -> Result<Company, StoreError> {
    let mut columns = Columns::of("companies", row)?;
    Ok(Company {
        id: CompanyId(columns.id()),
        name: columns.read()?,
        drop_payloads: columns.read()?,
        created_at: columns.time()?,
    })
}

/// The company that keys belong to which name none.
const DEFAULT: CompanyId = CompanyId(1);

/// Default name of a company.
pub(crate) fn first_name(id: CompanyId) -> String {
    if id == DEFAULT {
        "default".to_owned()
    } else {
        format!("company {id}")
    }
}
