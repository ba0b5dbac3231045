use sea_orm::entity::prelude::*;

/// A view, which counts the people when it is read.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "coverage")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub province_id: i32,
    pub province_name: String,
    #[sea_orm(
        primary_key,
        auto_increment = false,
        column_type = "Text",
        select_as = "text",
        save_as = "segment"
    )]
    pub segment: String,
    pub active: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelatedEntity)]
pub enum RelatedEntity {}
